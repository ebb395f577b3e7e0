internal import Addresses
internal import LinuxKernel

/// Sends SYNs and ICMP messages as raw packets, and resets after them; what comes back is captured.
struct RawTransport: ~Copyable {
  /// What all segments of one pair of addresses and one source port have in common.
  private struct Line {
    var sender: Int
    var port: UInt16
    var synchronization: PacketTemplate
    var reset: PacketTemplate
  }

  private struct LineKey: Hashable {
    var line: PortPlan.Line
    var destination: IPAddress
  }

  private let probes: [Probe]
  private let key: RunKey
  private var senders: [Held<RawSender>] = []
  private var senderOf: [IPAddress: Result<Int, Errno>] = [:]
  private var portOf: [PortPlan.Line: Result<Held<ReservedPort>, Errno>] = [:]
  private var lines: [Line] = []
  private var lineOf: [LineKey: Int] = [:]
  /// The line that was used last: probes come in rows.
  private var last: (key: LineKey, number: Int)?
  /// The line of each probe of TCP.
  private var lineOfProbe: [Int32]
  private var outgoing = OutgoingPackets()
  /// How often each probe was sent: what the next token says.
  private var transmissions: [UInt16]
  /// Which echoes are this run's: the identifier of the first, in whose place come the others.
  private let identifier: UInt16

  init(_ probes: [Probe], key: RunKey) {
    self.probes = probes
    self.key = key
    lineOfProbe = [Int32](repeating: -1, count: probes.count)
    transmissions = [UInt16](repeating: 0, count: probes.count)
    identifier = UInt16.random(in: 1...0x7FFF)
  }

  /// Opens what a probe needs.
  ///
  /// - Returns: The port that it is sent from, where it has one.
  /// - Throws: Why this machine will not send it.
  mutating func prepare(
    _ index: Int, _ line: PortPlan.Line, _ flows: inout FlowIndex
  ) throws(Errno) -> UInt16? {
    let probe = probes[index]
    switch probe.kind {
    case .icmp:
      _ = try sender(from: probe.source)
      let (identifier, sequence) = numbers(of: index)
      flows.insert(
        index, .icmp, local: probe.source, identifier, remote: probe.destination, sequence)
      return nil
    case .tcp(let port):
      let lineKey = LineKey(line: line, destination: probe.destination)
      let number: Int
      if let last, last.key == lineKey {
        number = last.number
      } else if let known = lineOf[lineKey] {
        number = known
      } else {
        let sender = try sender(from: probe.source)
        let own = try reserve(line)
        number = lines.count
        lineOf[lineKey] = number
        lines.append(
          Line(
            sender: sender, port: own,
            synchronization: .segment(
              from: probe.source, own, to: probe.destination,
              sequence: key.initialSequenceNumber, flags: SeenPacket.Segment.synchronize,
              window: 64_240, options: Self.options(probe.source.family)),
            reset: .segment(
              from: probe.source, own, to: probe.destination,
              sequence: key.initialSequenceNumber &+ 1, flags: SeenPacket.Segment.reset,
              window: 0, options: [])))
      }
      last = (lineKey, number)
      lineOfProbe[index] = Int32(number)
      let own = lines[number].port
      flows.insert(index, .tcp, local: probe.source, own, remote: probe.destination, port)
      return own
    case .udp: preconditionFailure("datagrams have a transport of their own")
    }
  }

  /// What Linux puts into a SYN, but for timestamps: MSS, SACK permitted, window scale.
  private static func options(_ family: IPFamily) -> [UInt8] {
    let size: UInt16 = family == .ipv4 ? 1460 : 1440
    return [2, 4, UInt8(size >> 8), UInt8(size & 0xFF), 1, 1, 4, 2, 1, 3, 3, 7]
  }

  private mutating func sender(from source: IPAddress) throws(Errno) -> Int {
    if let known = senderOf[source] { return try known.get() }
    do throws(Errno) {
      let number = senders.count
      senders.append(Held(try RawSender(from: Endpoint(source))))
      senderOf[source] = .success(number)
      return number
    } catch {
      senderOf[source] = .failure(error)
      throw error
    }
  }

  private mutating func reserve(_ line: PortPlan.Line) throws(Errno) -> UInt16 {
    if let known = portOf[line] { return try known.get().value.port }
    do throws(Errno) {
      let held = Held(try ReservedPort(Endpoint(line.source, port: line.fixed ?? 0)))
      portOf[line] = .success(held)
      return held.value.port
    } catch {
      portOf[line] = .failure(error)
      throw error
    }
  }

  /// The identifier and sequence number of a probe's messages.
  private func numbers(of probe: Int) -> (UInt16, UInt16) {
    (identifier &+ UInt16(truncatingIfNeeded: probe >> 16), UInt16(truncatingIfNeeded: probe))
  }

  /// Sends probes in their order.
  mutating func send(_ due: [Int], _ body: (Int, Sending) -> Void) {
    var start = 0
    while start < due.count {
      let sender = sender(of: due[start])
      var end = start
      outgoing.removeAll()
      while end < due.count, self.sender(of: due[end]) == sender {
        let probe = probes[due[end]]
        outgoing.append(
          packet(due[end]),
          to: Endpoint(probe.destination))
        end += 1
      }
      flush(by: sender, due[start..<end], body)
      start = end
    }
  }

  private func sender(of probe: Int) -> Int {
    if lineOfProbe[probe] >= 0 { return lines[Int(lineOfProbe[probe])].sender }
    guard case .success(let number) = senderOf[probes[probe].source] else {
      preconditionFailure("a probe that is sent has been prepared")
    }
    return number
  }

  private func packet(_ index: Int) -> [UInt8] {
    let probe = probes[index]
    switch probe.kind {
    case .tcp(let port): return lines[Int(lineOfProbe[index])].synchronization.segment(to: port)
    case .icmp(let type, let code):
      let (identifier, sequence) = numbers(of: index)
      let token = Token(probe: UInt32(index), transmission: transmissions[index])
      return PacketTemplate.message(
        from: probe.source, to: probe.destination, type: type, code: code,
        identifier: identifier, sequence: sequence, payload: token.octets(.request, key))
    case .udp: preconditionFailure("datagrams have a transport of their own")
    }
  }

  private mutating func flush(
    by sender: Int, _ due: ArraySlice<Int>, _ body: (Int, Sending) -> Void
  ) {
    var done = 0
    while done < due.count {
      let progress = senders[sender].value.send(outgoing, from: done)
      for probe in due.dropFirst(done).prefix(progress.sent) {
        transmissions[probe] &+= 1
        body(probe, .sent)
      }
      done += progress.sent
      guard let error = progress.error, done < due.count else { return }
      if error == .wouldBlock || error == .noBufferSpace || error == .outOfMemory {
        for probe in due.dropFirst(done) { body(probe, .later) }
        return
      }
      body(due[due.startIndex + done], .refused(error))
      done += 1
    }
  }

  /// Resets the connection that the answer to a probe has half opened.
  ///
  /// - Returns: Whether it was sent, or cannot be.
  mutating func reset(_ probe: Int) -> Bool {
    let line = lines[Int(lineOfProbe[probe])]
    outgoing.removeAll()
    outgoing.append(
      line.reset.segment(to: probes[probe].port), to: Endpoint(probes[probe].destination))
    let error = senders[line.sender].value.send(outgoing).error
    return error != .wouldBlock && error != .noBufferSpace && error != .outOfMemory
  }
}
