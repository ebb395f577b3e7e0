internal import Addresses
internal import LinuxKernel

/// SYNs that came in and whose answers were not seen to leave.
///
/// A rule for packets that leave may drop the answer after the listener took the SYN. The kernel
/// then keeps a half-open connection for some seconds: what is among those was accepted.
struct HalfOpen {
  fileprivate struct Connection: Hashable {
    var local: SocketAddress
    var remote: SocketAddress
  }

  private var waiting: [Connection: FarEndReport.Sighting] = [:]
  /// When the first came that has not been looked for yet.
  private var oldest: Duration?
  private var lastArrival = Duration.zero
  private var lastLook = Duration.zero

  /// An answer that leaves is seen to leave by then.
  private static let patience = Duration.milliseconds(300)
  private static let interval = Duration.milliseconds(700)
  /// A half-open connection lives for 3 s where its answer is repeated once (TCP_SYNCNT).
  private static let lifetime = Duration.seconds(3)
  private static let limit = 1 << 17

  /// Remembers a SYN.
  mutating func arrived(_ sighting: FarEndReport.Sighting, _ now: Duration) {
    guard let connection = Connection(sighting), waiting.count < Self.limit else { return }
    waiting[connection] = sighting
    if oldest == nil { oldest = now }
    lastArrival = now
  }

  /// Forgets a SYN whose answer left.
  mutating func accepted(_ sighting: FarEndReport.Sighting) {
    if let connection = Connection(sighting) { waiting[connection] = nil }
  }

  /// Looks from time to time which of them the kernel has answered.
  ///
  /// - Parameters:
  ///   - now: The time.
  ///   - isForced: Whether to look in any case, at what has just come too.
  /// - Returns: Those that were accepted, each once.
  mutating func look(_ now: Duration, isForced: Bool = false) -> [FarEndReport.Sighting] {
    guard !waiting.isEmpty, isForced || now - lastLook >= Self.interval else { return [] }
    guard isForced || now - (oldest ?? lastLook) > Self.patience else { return [] }
    lastLook = now
    oldest = nil
    defer { if now - lastArrival > Self.lifetime { waiting.removeAll() } }
    // Where the list cannot be read nothing is claimed.
    guard let entries = try? SocketTable.entries(in: .halfOpen) else { return [] }
    var found: [FarEndReport.Sighting] = []
    for entry in entries {
      let connection = Connection(local: entry.local, remote: entry.remote)
      if let sighting = waiting.removeValue(forKey: connection) { found.append(sighting) }
    }
    return found
  }
}

extension HalfOpen.Connection {
  /// nil for what is no TCP.
  fileprivate init?(_ sighting: FarEndReport.Sighting) {
    guard case .tcp(let port) = sighting.kind, let sourcePort = sighting.sourcePort else {
      return nil
    }
    let isIPv6 = sighting.source.family == .ipv6
    self.init(
      local: SocketAddress(isIPv6: isIPv6, number: sighting.destination.rawValue, port: port),
      remote: SocketAddress(isIPv6: isIPv6, number: sighting.source.rawValue, port: sourcePort))
  }
}
