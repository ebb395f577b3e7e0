internal import Addresses
internal import Capture
internal import LinuxKernel

/// Opens the sockets of a run.
struct Opening {
  let means: ProbeRun.Means
  private let probes: [Probe]
  private let key: RunKey
  private var raw: Held<RawTransport>?
  private var datagrams: Held<DatagramTransport>?
  private var pings: Held<DatagramTransport>?
  private var connections: Held<ConnectTransport>?
  private(set) var flows: FlowIndex
  private var plan = PortPlan()
  /// What keeps the whole run from being made.
  private(set) var failure: ProbeRunError?

  /// What was opened.
  struct Transports {
    var raw: Held<RawTransport>?
    var datagrams: Held<DatagramTransport>?
    var pings: Held<DatagramTransport>?
    var connections: Held<ConnectTransport>?
    var flows: FlowIndex
    /// By probe, the first one whose packets look the same.
    var twins: [Int: Int]
    /// ICMP types, besides those of echoes, that answer a probe.
    var replyTypes: [UInt8]
  }

  init(_ probes: [Probe], key: RunKey, means: ProbeRun.Means) {
    self.probes = probes
    self.key = key
    self.means = means
    flows = FlowIndex(capacity: probes.count)
  }

  /// Opens what a probe needs.
  ///
  /// - Returns: The port that it is sent from, where that is known before it is sent.
  /// - Throws: Why this machine will not send it.
  mutating func prepare(_ index: Int) throws(Errno) -> UInt16? {
    let probe = probes[index]
    guard probe.source.family == probe.destination.family else {
      failure = failure ?? .mixedFamilies(probe.source, probe.destination)
      return nil
    }
    switch (probe.kind, means) {
    case (.udp, _): return try prepareDatagram(index)
    case (.tcp, .connect): return try prepareConnection(index)
    case (.icmp(let type, let code), .connect):
      guard type == (probe.source.family == .ipv4 ? 8 : 128), code == 0 else {
        failure = failure ?? .needsRaw(type: type)
        return nil
      }
      return try preparePing(index)
    case (.tcp, .raw), (.icmp, .raw): return try prepareRaw(index)
    }
  }

  private mutating func prepareDatagram(_ index: Int) throws(Errno) -> UInt16 {
    let held = datagrams ?? Held(DatagramTransport(probes, .udp, key: key))
    datagrams = held
    let port = try held.value.prepare(index, plan.line(for: probes[index], index))
    let probe = probes[index]
    flows.insert(
      index, .udp, local: probe.source, port, remote: probe.destination, probe.port)
    return port
  }

  private mutating func prepareConnection(_ index: Int) throws(Errno) -> UInt16? {
    _ = plan.line(for: probes[index], index)
    do throws(Errno) {
      if connections == nil { connections = Held(try ConnectTransport(probes, key: key)) }
    } catch {
      failure = failure ?? .socketFailed(error)
    }
    return probes[index].sourcePort
  }

  private mutating func preparePing(_ index: Int) throws(Errno) -> UInt16? {
    let held = pings ?? Held(DatagramTransport(probes, .ping, key: key))
    pings = held
    do throws(Errno) {
      _ = try held.value.prepare(
        index, PortPlan.Line(source: probes[index].source, fixed: nil, number: 0))
    } catch .accessDenied, .notPermitted {
      failure = failure ?? .pingRefused(.accessDenied)
    }
    return nil
  }

  private mutating func prepareRaw(_ index: Int) throws(Errno) -> UInt16? {
    let held = raw ?? Held(RawTransport(probes, key: key))
    raw = held
    let probe = probes[index]
    let line: PortPlan.Line =
      if case .tcp = probe.kind {
        plan.line(for: probe, index)
      } else {
        PortPlan.Line(source: probe.source, fixed: nil, number: 0)
      }
    do throws(Errno) {
      return try held.value.prepare(index, line, &flows)
    } catch .notPermitted {
      failure = failure ?? .rawRefused(.notPermitted)
      return nil
    }
  }

  func finish() -> Transports {
    var types: Set<UInt8> = []
    for probe in probes {
      if case .icmp(let type, _) = probe.kind,
        let reply = PacketReading.reply(to: type, probe.source.family)
      {
        types.insert(type)
        types.insert(reply)
      } else if case .icmp(let type, _) = probe.kind {
        types.insert(type)
      }
    }
    types.subtract([0, 8, 128, 129])
    connections?.value.twins = plan.twins
    return Transports(
      raw: raw, datagrams: datagrams, pings: pings, connections: connections, flows: flows,
      twins: plan.twins, replyTypes: types.sorted())
  }
}

extension Opening.Transports {
  /// The most ports that a filter names one by one.
  private static let mostPorts = 8

  /// Which flows of this machine are the run's.
  func filter(
    _ probes: [Probe], ports: [UInt16?], means: ProbeRun.Means
  ) -> [CaptureFilter.Flows] {
    var locals: [TransportProtocol: AddressSet] = [:]
    var used: [TransportProtocol: Set<UInt16>] = [:]
    var known: [TransportProtocol: Set<IPAddress>] = [:]
    for (probe, port) in zip(probes, ports) {
      let transport: TransportProtocol =
        switch probe.kind {
        case .tcp: .tcp
        case .udp: .udp
        case .icmp: probe.source.family == .ipv4 ? .icmp : .icmpv6
        }
      if known[transport, default: []].insert(probe.source).inserted {
        locals[transport] = (locals[transport] ?? .empty).union(AddressSet(probe.source))
      }
      if let port { used[transport, default: []].insert(port) }
    }
    return locals.sorted { $0.key < $1.key }.flatMap { transport, local in
      let ports = used[transport, default: []].sorted()
      let ranges: [ClosedRange<UInt16>] =
        if transport == .tcp && means == .connect || ports.isEmpty {
          [0...UInt16.max]
        } else if ports.count > Self.mostPorts, let first = ports.first, let last = ports.last {
          [first...last]
        } else {
          ports.map { $0...$0 }
        }
      return ranges.map { CaptureFilter.Flows(local: local, transport: transport, ports: $0) }
    }
  }
}
