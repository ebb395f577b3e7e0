internal import Addresses
internal import LinuxKernel

/// Sends UDP datagrams, or echo requests of ping sockets, and reads what comes back by the sockets
/// and their error queues.
struct DatagramTransport: ~Copyable {
  private let probes: [Probe]
  private let key: RunKey
  private let kind: DatagramSocket.Kind
  private var sockets: [Held<DatagramSocket>] = []
  private var sources: [IPAddress] = []
  private var socketOf: [PortPlan.Line: Result<Int, Errno>] = [:]
  private var socketOfProbe: [Int32]
  private var outgoing = OutgoingPackets()
  /// How often each probe was sent: what the next token says.
  private var transmissions: [UInt16]
  private var flows: FlowIndex
  private let transport: FlowIndex.Transport

  init(_ probes: [Probe], _ kind: DatagramSocket.Kind, key: RunKey) {
    self.probes = probes
    self.key = key
    self.kind = kind
    transport = kind == .udp ? .udp : .icmp
    socketOfProbe = [Int32](repeating: -1, count: probes.count)
    transmissions = [UInt16](repeating: 0, count: probes.count)
    flows = FlowIndex(capacity: 0)
  }

  /// Opens what a probe needs.
  ///
  /// - Returns: The port that it is sent from; of an echo request, the identifier.
  /// - Throws: Why this machine will not send it.
  mutating func prepare(_ index: Int, _ line: PortPlan.Line) throws(Errno) -> UInt16 {
    let probe = probes[index]
    let number = try socket(line)
    socketOfProbe[index] = Int32(number)
    let port = sockets[number].value.port
    flows.insert(
      index, transport, local: probe.source, localPort(port), remote: probe.destination,
      remotePort(index))
    return port
  }

  /// The kernel writes the identifier, and shows no other socket's replies.
  private func localPort(_ port: UInt16) -> UInt16 { kind == .udp ? port : 0 }

  private func remotePort(_ index: Int) -> UInt16 {
    kind == .udp ? probes[index].port : UInt16(truncatingIfNeeded: index)
  }

  private mutating func socket(_ line: PortPlan.Line) throws(Errno) -> Int {
    if let known = socketOf[line] { return try known.get() }
    do throws(Errno) {
      let number = sockets.count
      sockets.append(
        Held(try DatagramSocket(kind, from: Endpoint(line.source, port: line.fixed ?? 0))))
      sources.append(line.source)
      socketOf[line] = .success(number)
      return number
    } catch {
      socketOf[line] = .failure(error)
      throw error
    }
  }

  /// What becomes readable when something came back.
  var selectableDescriptors: [CInt] { sockets.map { $0.value.selectableDescriptor } }

  /// Answers that came in and found no room.
  var lost: Int { sockets.reduce(0) { $0 + Int($1.value.lost) } }
}

// MARK: - Sending

extension DatagramTransport {
  /// Sends probes in their order.
  mutating func send(
    _ due: [Int], _ findings: inout [Finding], _ body: (Int, Sending) -> Void
  ) throws(Errno) {
    var start = 0
    while start < due.count {
      let socket = socketOfProbe[due[start]]
      var end = start
      outgoing.removeAll()
      while end < due.count, socketOfProbe[due[end]] == socket {
        let token = Token(probe: UInt32(due[end]), transmission: transmissions[due[end]])
        let probe = probes[due[end]]
        outgoing.append(
          head(due[end]) + token.octets(.request, key),
          to: Endpoint(probe.destination, port: probe.port))
        end += 1
      }
      try flush(by: Int(socket), due[start..<end], &findings, body)
      start = end
    }
  }

  /// The ICMP header of an echo request, whose checksum and identifier the kernel writes.
  private func head(_ index: Int) -> [UInt8] {
    guard case .icmp(let type, let code) = probes[index].kind else { return [] }
    let sequence = remotePort(index)
    return [type, code, 0, 0, 0, 0, UInt8(sequence >> 8), UInt8(sequence & 0xFF)]
  }

  private mutating func flush(
    by socket: Int, _ due: ArraySlice<Int>, _ findings: inout [Finding],
    _ body: (Int, Sending) -> Void
  ) throws(Errno) {
    var done = 0
    var attempts = 0
    while done < due.count {
      let progress = sockets[socket].value.send(outgoing, from: done)
      for probe in due.dropFirst(done).prefix(progress.sent) {
        transmissions[probe] &+= 1
        body(probe, .sent)
      }
      if progress.sent > 0 { attempts = 0 }
      done += progress.sent
      guard let error = progress.error, done < due.count else { return }
      if error == .wouldBlock || error == .noBufferSpace || error == .outOfMemory {
        for probe in due.dropFirst(done) { body(probe, .later) }
        return
      }
      let index = due[due.startIndex + done]
      // A socket tells what came back about an earlier datagram in place of sending the next.
      if Self.mayComeBack(error), attempts < Self.mostAttempts {
        attempts += 1
        try takeFailures(of: socket, &findings)
        let probe = probes[index]
        do throws(Errno) {
          try DatagramSocket.checkRoute(
            from: Endpoint(probe.source), to: Endpoint(probe.destination, port: probe.port))
          continue
        } catch {
          body(index, .refused(error))
        }
      } else {
        body(index, .refused(error))
      }
      done += 1
    }
  }

  /// More errors than this do not come back between two attempts to send one datagram.
  private static let mostAttempts = 256

  /// Whether an error can be what an ICMP message became; icmp_err_convert, icmpv6_err_convert().
  private static func mayComeBack(_ error: Errno) -> Bool {
    switch error {
    case .connectionRefused, .hostUnreachable, .networkUnreachable, .accessDenied,
      .protocolError, .notSupported, .messageTooLong, .hostDown, .notOnTheNetwork,
      .protocolNotAvailable:
      true
    default: false
    }
  }
}

// MARK: - Receiving

extension DatagramTransport {
  /// Takes everything that came back.
  mutating func receive(_ findings: inout [Finding]) throws(Errno) {
    for socket in sockets.indices {
      try takeFailures(of: socket, &findings)
      do throws(Errno) {
        try takeIncoming(of: socket, &findings)
      } catch  where Self.mayComeBack(error) {
        try takeFailures(of: socket, &findings)
      }
    }
  }

  private mutating func takeIncoming(
    of socket: Int, _ findings: inout [Finding]
  ) throws(Errno) {
    let source = sources[socket]
    let port = sockets[socket].value.port
    var found: [Finding] = []
    try sockets[socket].value.takeIncoming { incoming in
      if let probe = probe(
        source: source, port: port, remote: incoming.source, sequence: incoming.payload)
      {
        found.append(
          Finding(
            probe: probe, answer: .reply(carriesToken: isReply(incoming.payload)),
            port: kind == .udp ? port : nil))
      }
    }
    findings += found
  }

  private mutating func takeFailures(
    of socket: Int, _ findings: inout [Finding]
  ) throws(Errno) {
    let source = sources[socket]
    let port = sockets[socket].value.port
    var found: [Finding] = []
    try sockets[socket].value.takeFailures { failure in
      guard let message = failure.message,
        let probe = probe(
          source: source, port: port, remote: failure.destination, sequence: failure.payload)
      else { return }
      found.append(
        Finding(
          probe: probe,
          answer: .icmpError(
            type: message.type, code: message.code, sender: message.sender.address),
          port: kind == .udp ? port : nil))
    }
    findings += found
  }

  /// Whether a responder of the run wrote a datagram; echo replies are whoever's.
  private func isReply(_ payload: [UInt8]) -> Bool {
    kind == .udp && Token(reading: payload[...], .reply, key) != nil
  }

  /// The probe that something from, or about a datagram to, `remote` belongs to.
  private mutating func probe(
    source: IPAddress, port: UInt16, remote: Endpoint, sequence payload: [UInt8]
  ) -> Int? {
    let remotePort: UInt16
    switch kind {
    case .udp: remotePort = remote.port
    case .ping:
      guard payload.count >= 8 else { return nil }
      remotePort = UInt16(payload[6]) << 8 | UInt16(payload[7])
    }
    return flows.probe(
      transport, local: source, localPort(port), remote: remote.address, remotePort)
  }
}
