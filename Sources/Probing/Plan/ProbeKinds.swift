internal import Addresses
internal import Scenarios

/// The probes that stand for one service, and what of it none can stand for.
struct ProbeKinds {
  private var ports: IntervalSet = .empty
  private var isTCP = false
  private var message: Probe.Kind?
  /// What of the service is not probed.
  private(set) var omission: String?

  init(of service: Service, in family: IPFamily) {
    switch service.kind {
    case .ports(let transport, let wanted):
      guard transport == .tcp || transport == .udp else {
        omission = "\(transport) cannot be probed"
        return
      }
      isTCP = transport == .tcp
      ports = wanted.subtracting(IntervalSet(0))
      if wanted.contains(0) { omission = "nothing is sent to port 0" }
    case .transport(let transport):
      omission = "no probe stands for all of protocol \(transport)"
    case .any:
      omission = "no probe stands for `any`"
    case .icmp(let type, let code), .icmpv6(let type, let code):
      let echo: UInt8 = family == .ipv4 ? 8 : 128
      message = .icmp(type: type ?? echo, code: code ?? 0)
      if type == nil { omission = "messages other than echo requests" }
    }
  }

  var isEmpty: Bool { ports.isEmpty && message == nil }

  var count: Int { ports.size + (message == nil ? 0 : 1) }

  func forEach(_ body: (Probe.Kind) -> Void) {
    if let message { body(message) }
    for port in ports.values {
      let port = UInt16(truncatingIfNeeded: port)
      body(isTCP ? .tcp(port) : .udp(port))
    }
  }
}

extension IntervalSet {
  /// How many numbers are in a set that is known to be small.
  var size: Int {
    intervals.reduce(0) { sum, interval in
      let count = interval.upper - interval.lower
      return count >= UInt128(Int.max / 4) ? Int.max / 4 : sum + Int(count) + 1
    }
  }

  /// The numbers, rising.
  var values: some Sequence<UInt128> {
    intervals.lazy.flatMap { $0.lower...$0.upper }
  }
}
