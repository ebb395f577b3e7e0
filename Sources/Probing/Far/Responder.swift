internal import Addresses
internal import Documents
package import LinuxKernel

/// The far end of a run: it answers the run's packets, and nobody else, and tells of each.
///
/// ```
/// var responder = try Responder(assignment, output: output, input: input)
/// let ending = responder.serve()
/// ```
package struct Responder: ~Copyable {
  private let assignment: Assignment
  private var binding: PortBinding
  private var capture: RunCapture
  private var output: OutputQueue
  private var input: DrivingInput?
  private let isInputWatched: Bool
  private let deadline: Duration
  private var halfOpen = HalfOpen()
  private var ending = ResponderEvent.Ending(.elapsed)
  /// Set where it is to end.
  private var reason: ResponderEvent.Ending.Reason?
  private var writer = JSONWriter()
  private var line: [UInt8] = []

  /// What it has and lacks.
  package let readiness: ResponderEvent.Readiness

  /// Opens the sockets; from now on the run's packets are answered as soon as ``serve()`` is called.
  ///
  /// - Parameters:
  ///   - assignment: The run, and what it asks.
  ///   - output: Where the events go.
  ///   - input: Who drives it; nil where nobody does.
  ///   - file: The file that the run's packets are written to.
  ///   - isConfined: Whether this thread, and what it starts, is to have no capability any more once
  ///     everything is open; it cannot be taken back.
  /// - Throws: What the kernel refuses before the first socket.
  package init(
    _ assignment: Assignment, output: consuming Descriptor, input: consuming DrivingInput?,
    capture file: String? = nil, isConfined: Bool = false
  ) throws(Errno) {
    // First: what comes as soon as a port is bound is seen, and descriptors are left for it.
    let capture = RunCapture(assignment, into: file)
    let binding = try PortBinding(assignment)
    try capture.isWatched(by: binding.sockets, from: Self.captureNumber)
    isInputWatched = try input?.isWatched(by: binding.sockets, as: Self.inputNumber) ?? false
    self.input = input
    self.assignment = assignment
    deadline = Clocks.monotonic + assignment.duration
    self.output = OutputQueue(to: output)
    var readiness = ResponderEvent.Readiness()
    readiness.boundTCP = binding.boundTCP
    readiness.boundUDP = binding.boundUDP
    readiness.takenTCP = binding.takenTCP
    readiness.takenUDP = binding.takenUDP
    readiness.refusals = binding.refusals
    readiness.icmpRateLimit = Machine.setting("net.ipv4.icmp_ratelimit")
    readiness.icmpv6RateLimit = Machine.setting("net.ipv6.icmp.ratelimit")
    readiness.blindBecause = capture.blindness
    readiness.capture = capture.fileTrouble == nil ? file : nil
    readiness.captureTrouble = capture.fileTrouble
    if isConfined {
      do throws(Errno) {
        try Privileges.dropPrivileges()
        readiness.hasDroppedPrivileges = true
      } catch {
        // It is told that it has them still.
      }
    }
    self.readiness = readiness
    self.capture = capture
    self.binding = binding
  }

  // Numbers that no socket has.
  private static let inputNumber = Int(UInt32.max)
  private static let captureNumber = 1 << 33

  /// Answers until the assignment's time is over, or it is told to end.
  ///
  /// The first event is ``ResponderEvent/ready(_:)`` and the last ``ResponderEvent/end(_:)``.
  ///
  /// - Returns: What the last event says.
  package mutating func serve() -> ResponderEvent.Ending {
    tell(.ready(readiness), isForced: true)
    while reason == nil {
      if Interruption.isRequested { reason = .interrupted }
      let left = deadline - Clocks.monotonic
      if left <= .zero { reason = .elapsed }
      if reason != nil { break }
      let isIdle = turn(milliseconds: Int32(min(left.seconds * 1000 + 1, Self.patience)))
      // Reading the kernel's list takes time that packets must not wait for.
      if isIdle { lookForHalfOpen() }
      flush()
    }
    drain()
    lookForHalfOpen(isForced: true)
    ending.reason = reason ?? .elapsed
    ending.lostCaptures = capture.lostPackets
    ending.blindBecause = capture.blindness
    ending.captureTrouble = capture.finish()
    tell(.end(ending), isForced: true)
    // Who does not read by then does not read at all.
    try? output.flush(until: Clocks.monotonic + .seconds(5))
    return ending
  }

  /// How long it waits, in milliseconds, before it looks whether a signal has come.
  private static let patience = 50.0

  /// Serves what has come, or waits for it.
  ///
  /// - Returns: Whether nothing has.
  private mutating func turn(milliseconds: Int32) -> Bool {
    var isInputReadable = input != nil && !isInputWatched
    var isIdle = true
    do throws(Errno) {
      for number in try binding.sockets.wait(isInputReadable ? 0 : milliseconds) {
        isIdle = false
        if number == Self.inputNumber { isInputReadable = true } else { serve(number) }
      }
    } catch {
      fail("cannot wait for packets: \(error)")
    }
    // Last: what came before a command is told before its answer.
    if isInputReadable { obey() }
    return isIdle
  }

  /// Tells of everything that has come so far.
  private mutating func drain() {
    do throws(Errno) {
      while true {
        let waiting = try binding.sockets.wait(0).filter { $0 != Self.inputNumber }
        if waiting.isEmpty || Clocks.monotonic > deadline { return }
        for number in waiting { serve(number) }
        for tap in 0..<capture.count { while look(tap), Clocks.monotonic < deadline {} }
        flush()
      }
    } catch {
      fail("cannot wait for packets: \(error)")
    }
  }

  private mutating func flush() {
    do throws(Errno) {
      try output.flush()
    } catch {
      // Nobody is there to tell it to.
      reason = reason ?? .inputEnded
    }
  }

  private mutating func fail(_ message: String) {
    tell(.error(message), isForced: true)
    reason = .failed
  }

  private mutating func tell(_ event: ResponderEvent, isForced: Bool = false) {
    event.write(into: &writer, &line)
    if !output.append(line, isForced: isForced) { ending.untold += 1 }
  }
}

// Packets.
extension Responder {
  /// Takes what waits somewhere, but not for ever.
  private mutating func serve(_ number: Int) {
    guard number < Self.captureNumber else {
      look(number - Self.captureNumber)
      return
    }
    let place = binding.places[number]
    for _ in 0..<Self.batch {
      do throws(Errno) {
        switch place.transport {
        case .stream:
          guard let peer = try binding.sockets.accept(at: number) else { return }
          accept(.tcp(place.port), from: peer, at: place, probe: nil)
        case .datagrams:
          guard let datagram = try binding.sockets.receive(at: number, limit: Token.byteCount)
          else { return }
          answer(datagram, at: place, of: number)
        }
      } catch {
        // What accept(2) and recvfrom(2) say here is about one connection or an ICMP error.
      }
    }
  }

  /// How many packets of one socket are served before it is the others' turn.
  private static let batch = 64

  /// Tells what crossed an interface.
  ///
  /// - Returns: Whether there may be more.
  @discardableResult
  private mutating func look(_ tap: Int) -> Bool {
    var findings: [RunPackets.Finding] = []
    let isMore = capture.drain(tap, limit: 4096, into: &findings)
    for finding in findings {
      switch finding {
      case .arrival(let sighting):
        ending.arrivals += 1
        tell(.arrival(sighting))
        halfOpen.arrived(sighting, Clocks.monotonic)
      case .acceptance(let sighting):
        ending.acceptances += 1
        tell(.acceptance(sighting))
        halfOpen.accepted(sighting)
      case .other: break
      }
    }
    return isMore
  }

  /// Tells of SYNs that a listener took and whose answers a rule kept from leaving.
  private mutating func lookForHalfOpen(isForced: Bool = false) {
    for sighting in halfOpen.look(Clocks.monotonic, isForced: isForced) {
      ending.acceptances += 1
      tell(.acceptance(sighting))
    }
  }

  private mutating func answer(
    _ datagram: BoundSockets.Datagram, at place: PortBinding.Place, of socket: Int
  ) {
    guard let token = Token(reading: datagram.bytes[...], .request, assignment.key) else {
      ending.strangers += 1
      return
    }
    do throws(Errno) {
      try binding.sockets.send(
        token.octets(.reply, assignment.key), to: datagram.sender, from: socket)
      ending.replies += 1
    } catch {
      // A rule of this machine, or no way back: the sender sees silence, and this tells why not.
      ending.failedReplies += 1
    }
    accept(.udp(place.port), from: datagram.sender, at: place, probe: token.probe)
  }

  private mutating func accept(
    _ kind: Probe.Kind, from peer: SocketAddress, at place: PortBinding.Place, probe: UInt32?
  ) {
    ending.acceptances += 1
    tell(
      .acceptance(
        FarEndReport.Sighting(
          from: IPAddress(peer.isIPv6 ? .ipv6 : .ipv4, rawValue: peer.number), to: place.address,
          kind, sourcePort: peer.port, probe: probe, time: Clocks.wallNanoseconds)))
  }
}

// Commands.
extension Responder {
  private mutating func obey() {
    do throws(Errno) {
      try input?.receive()
    } catch {
      reason = .inputEnded
      if error == .messageTooLong { mislead("a command does not end") }
      return
    }
    while reason == nil, let line = input?.receivedLine() {
      switch ResponderCommand(reading: line) {
      case .sync(let number):
        drain()
        lookForHalfOpen(isForced: true)
        tell(.synced(number), isForced: true)
      case .stop: reason = .stopped
      case nil: mislead("this is no command: \(String(decoding: line.prefix(80), as: UTF8.self))")
      }
    }
    if input?.isEnded == true { reason = reason ?? .inputEnded }
  }

  private mutating func mislead(_ message: String) {
    tell(.error(message), isForced: true)
    reason = .misled
  }
}
