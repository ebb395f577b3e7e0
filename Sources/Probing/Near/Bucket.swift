/// What one destination address may still be sent: a token bucket, kept as the moment from which
/// on the next packet may go.
struct Bucket: Sendable {
  /// From one packet to the next, in nanoseconds; 0 without a limit.
  private let interval: Int64
  /// How far behind time the bucket may stay: what may go at once after a pause.
  private let slack: Int64
  private(set) var free: Moment

  /// - Parameters:
  ///   - interval: From one packet to the next, in nanoseconds.
  ///   - now: From when on packets may go.
  init(interval: Int64, now: Moment) {
    self.interval = interval
    // Ten milliseconds' worth, so that sending need not wake for each packet.
    slack = max(0, 10_000_000 - interval)
    free = now
  }

  /// Nothing goes before `moment`.
  mutating func hold(until moment: Moment) { free = max(free, moment) }

  func admits(_ now: Moment) -> Bool { free <= now }

  mutating func take(_ now: Moment) {
    free = max(free, now - slack) + interval
  }
}
