internal import Addresses

/// Decides what is sent when, how long it waits, and when it has waited long enough.
///
/// It knows neither sockets nor clocks. Each destination address has a queue: probes that were not
/// sent yet, then those that nothing answered, in rounds. Probes for which ``Probe/isPaced`` is set
/// come when everything else to their destination has ended, one at a time in
/// ``errorInterval``, since Linux answers a peer with at most one ICMP error a second after a burst
/// of six (`net.ipv4.icmp_ratelimit`, inet_peer_xrlim_allow()). What else used up the burst is not
/// known here, so of each paced probe the last transmission goes alone in its interval; an earlier
/// one may go with up to five others, which cannot harm those after it: a refused error costs
/// nothing.
struct Schedule {
  /// What a probe waits for.
  private enum State {
    /// To be sent, for the first time or again.
    case queued
    /// For an answer, until its deadline.
    case waiting
    case ended
  }

  private struct Entry {
    var state = State.queued
    var target: Int32
    /// How often it was sent.
    var sent: Int32 = 0
    /// How often it may be sent.
    var allowed: Int32
    var lastSent: Moment = 0
  }

  private struct Target {
    var bucket: Bucket
    var ready = Queue<Int32>()
    var paced = Queue<Int32>()
    /// Probes that are not paced and have not ended.
    var unpaced = 0
    /// Paced transmissions that may still go without waiting.
    var burst = Schedule.errorBurst
    var lastSent: Moment = .min / 2
    /// Whether it is new, and what was sent waits for the first answer.
    var isNew = true
    var sentWhileNew = 0
    var isActive = false
  }

  /// Transmissions whose deadlines come in the order in which they were sent.
  private struct Lane {
    var timeout: Int64
    var waiting = Queue<(probe: Int32, number: Int32, deadline: Moment)>()
  }

  /// From one paced transmission to the next to one destination: a second, and some for timers.
  static let errorInterval: Int64 = 1_050_000_000
  /// XRLIM_BURST_FACTOR of net/ipv4/inetpeer.c.
  static let errorBurst = 6
  /// What a destination is sent at first, and how long the rest waits for an answer: until its
  /// link address is known, kernels keep a few packets and drop the others.
  static let firstPackets = 64
  static let firstPause: Int64 = 3_000_000
  /// How often a probe is sent again beyond what it allows, as answers may have been lost.
  static let repairs: Int32 = 4

  private let probes: [Probe]
  private var entries: [Entry]
  private var targets: [Target] = []
  private var lanes: [Lane] = []
  private let laneOf: [Int32]
  /// Targets with something queued, in turn.
  private var active = Queue<Int32>()

  private(set) var answered = 0
  private(set) var outstanding: Int
  private(set) var transmissions = 0

  /// - Parameters:
  ///   - probes: What is to be sent.
  ///   - rate: How fast.
  ///   - lastSent: When something was sent to an address last, before.
  ///   - now: The time.
  init(_ probes: [Probe], rate: Rate, lastSent: [IPAddress: Moment] = [:], now: Moment) {
    self.probes = probes
    outstanding = probes.count
    entries = []
    entries.reserveCapacity(probes.count)
    var numbers: [IPAddress: Int32] = [:]
    var laneNumbers: [Int64: Int32] = [:]
    var laneOf: [Int32] = []
    laneOf.reserveCapacity(probes.count)
    for (index, probe) in probes.enumerated() {
      let target: Int32
      if let known = numbers[probe.destination] {
        target = known
      } else {
        target = Int32(targets.count)
        numbers[probe.destination] = target
        var new = Target(bucket: Bucket(interval: rate.interval, now: now))
        if let before = lastSent[probe.destination] {
          new.lastSent = before
          new.isNew = false
        }
        targets.append(new)
      }
      entries.append(Entry(target: target, allowed: Int32(clamping: max(1, probe.transmissions))))
      if probe.isPaced {
        targets[Int(target)].paced.append(Int32(index))
      } else {
        targets[Int(target)].ready.append(Int32(index))
        targets[Int(target)].unpaced += 1
      }
      let timeout = max(0, probe.timeout.nanoseconds)
      if let known = laneNumbers[timeout] {
        laneOf.append(known)
      } else {
        laneNumbers[timeout] = Int32(lanes.count)
        laneOf.append(Int32(lanes.count))
        lanes.append(Lane(timeout: timeout))
      }
    }
    self.laneOf = laneOf
    for index in targets.indices {
      targets[index].isActive = true
      active.append(Int32(index))
    }
  }

  var isDone: Bool { outstanding == 0 }

  func hasEnded(_ probe: Int) -> Bool { entries[probe].state == .ended }

  /// How often a probe was sent.
  func transmissions(of probe: Int) -> Int { Int(entries[probe].sent) }

  /// When it was sent last.
  func lastSent(_ probe: Int) -> Moment { entries[probe].lastSent }
}

// MARK: - What is sent

extension Schedule {
  /// Probes that are to be sent now, at most `limit`; each is reported back by ``sent(_:_:)``,
  /// ``unsent(_:)`` or ``end(_:isAnswered:)``.
  mutating func due(_ now: Moment, limit: Int, into due: inout [Int]) {
    var left = active.count
    while left > 0, due.count < limit, let index = active.popFirst() {
      left -= 1
      let isDrained = take(from: Int(index), now, limit: limit, into: &due)
      if isDrained { targets[Int(index)].isActive = false } else { active.append(index) }
    }
  }

  /// - Returns: Whether nothing is queued there any more.
  private mutating func take(
    from index: Int, _ now: Moment, limit: Int, into due: inout [Int]
  ) -> Bool {
    while due.count < limit, targets[index].bucket.admits(now) {
      guard let probe = targets[index].ready.popFirst() else { break }
      if entries[Int(probe)].state != .queued { continue }
      take(Int(probe), from: index, now, into: &due)
    }
    if !targets[index].ready.isEmpty { return false }
    guard targets[index].unpaced == 0 else { return targets[index].paced.isEmpty }
    while due.count < limit, targets[index].bucket.admits(now),
      let probe = targets[index].paced.first
    {
      if entries[Int(probe)].state == .queued {
        let isLast = entries[Int(probe)].sent + 1 >= entries[Int(probe)].allowed
        let isAlone = now - targets[index].lastSent >= Self.errorInterval
        if !isAlone {
          guard !isLast, targets[index].burst > 0 else { break }
          targets[index].burst -= 1
        }
        take(Int(probe), from: index, now, into: &due)
      }
      _ = targets[index].paced.popFirst()
    }
    return targets[index].paced.isEmpty
  }

  private mutating func take(_ probe: Int, from index: Int, _ now: Moment, into due: inout [Int]) {
    due.append(probe)
    targets[index].bucket.take(now)
    targets[index].lastSent = now
    guard targets[index].isNew else { return }
    targets[index].sentWhileNew += 1
    if targets[index].sentWhileNew == Self.firstPackets {
      targets[index].bucket.hold(until: now + Self.firstPause)
      targets[index].isNew = false
    }
  }

  /// A probe has left this machine.
  mutating func sent(_ probe: Int, _ now: Moment) {
    transmissions += 1
    entries[probe].sent += 1
    entries[probe].lastSent = now
    // Its answer may have come while it was sent.
    guard entries[probe].state == .queued else { return }
    entries[probe].state = .waiting
    let lane = Int(laneOf[probe])
    lanes[lane].waiting.append((Int32(probe), entries[probe].sent, now + lanes[lane].timeout))
  }

  /// A probe could not leave now, and is queued again.
  mutating func unsent(_ probe: Int) {
    guard entries[probe].state == .queued else { return }
    enqueue(probe)
  }

  /// A packet besides the probes goes to a destination, at its pace.
  mutating func chargeExtra(to probe: Int, _ now: Moment) {
    targets[Int(entries[probe].target)].bucket.take(now)
  }

  /// Whether a packet besides the probes may go to a probe's destination.
  func admitsExtra(to probe: Int, _ now: Moment) -> Bool {
    targets[Int(entries[probe].target)].bucket.admits(now)
  }

  private mutating func enqueue(_ probe: Int) {
    let index = Int(entries[probe].target)
    if probes[probe].isPaced {
      targets[index].paced.append(Int32(probe))
    } else {
      targets[index].ready.append(Int32(probe))
    }
    activate(index)
  }

  private mutating func activate(_ index: Int) {
    if targets[index].isActive { return }
    targets[index].isActive = true
    active.append(Int32(index))
  }
}

// MARK: - What ends

extension Schedule {
  /// A probe's answer, or the reason why there will be none, is known.
  mutating func end(_ probe: Int, isAnswered: Bool) {
    guard entries[probe].state != .ended else { return }
    entries[probe].state = .ended
    outstanding -= 1
    if isAnswered { answered += 1 }
    let index = Int(entries[probe].target)
    targets[index].isNew = false
    guard !probes[probe].isPaced else { return }
    targets[index].unpaced -= 1
    if targets[index].unpaced == 0, !targets[index].paced.isEmpty { activate(index) }
  }

  /// Queues again what has waited long enough and may be sent again.
  ///
  /// - Parameters:
  ///   - now: The time.
  ///   - silent: Is given the probes that may not.
  ///   - again: Is given those that may.
  mutating func expire(_ now: Moment, into silent: inout [Int], again: inout [Int]) {
    for index in lanes.indices {
      while let first = lanes[index].waiting.first, first.deadline <= now {
        _ = lanes[index].waiting.popFirst()
        let probe = Int(first.probe)
        guard entries[probe].state == .waiting, entries[probe].sent == first.number else {
          continue
        }
        if entries[probe].sent < entries[probe].allowed {
          entries[probe].state = .queued
          enqueue(probe)
          again.append(probe)
        } else {
          silent.append(probe)
        }
      }
    }
  }

  /// Sends a silent probe once more, since its answer may have been lost on this machine.
  ///
  /// - Returns: false where that has been done often enough.
  mutating func repair(_ probe: Int) -> Bool {
    let most = Int32(clamping: max(1, probes[probe].transmissions)) + Self.repairs
    guard entries[probe].state == .waiting, entries[probe].allowed < most else { return false }
    entries[probe].allowed += 1
    entries[probe].state = .queued
    enqueue(probe)
    return true
  }

  /// The next moment at which ``due(_:limit:into:)`` or ``expire(_:into:again:)`` has something to do.
  func nextMoment(_ now: Moment) -> Moment {
    var next = Moment.max
    for lane in lanes {
      if let first = lane.waiting.first { next = min(next, first.deadline) }
    }
    for index in targets.indices where targets[index].isActive {
      let target = targets[index]
      if !target.ready.isEmpty {
        next = min(next, target.bucket.free)
      } else if target.unpaced == 0, let probe = target.paced.first {
        let isLast = entries[Int(probe)].sent + 1 >= entries[Int(probe)].allowed
        let canJoin = !isLast && target.burst > 0
        next = min(
          next,
          max(target.bucket.free, canJoin ? 0 : target.lastSent + Self.errorInterval))
      }
    }
    return max(now, next)
  }

  /// How long the rest takes if nothing more is answered.
  ///
  /// - Parameter interval: From one packet to the next to one destination.
  /// - Returns: Nanoseconds.
  func remaining(interval: Int64) -> Int64 {
    var longest: Int64 = 0
    for target in targets {
      longest = max(
        longest,
        Int64(target.ready.count) * interval + Int64(target.paced.count) * Self.errorInterval)
    }
    return outstanding == 0 ? 0 : longest + (lanes.map(\.timeout).max() ?? 0)
  }
}
