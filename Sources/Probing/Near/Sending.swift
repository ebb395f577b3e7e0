internal import Addresses
internal import LinuxKernel

/// What came of handing a probe to the kernel.
enum Sending {
  case sent
  /// There is no room now.
  case later
  case refused(Errno)
}

/// What a transport has learnt of a probe.
struct Finding {
  var probe: Int
  var answer: Observation.Answer
  /// The port from which the answered packet was sent.
  var port: UInt16?
}

extension Endpoint {
  init(_ address: IPAddress, port: UInt16 = 0) {
    self.init(isIPv6: address.family == .ipv6, number: address.rawValue, port: port)
  }

  var address: IPAddress { IPAddress(isIPv6 ? .ipv6 : .ipv4, rawValue: number) }
}

extension Probe {
  /// The port that it asks; 0 for ICMP.
  var port: UInt16 {
    switch kind {
    case .tcp(let port), .udp(let port): port
    case .icmp: 0
    }
  }
}

/// Which of a run's ports a probe is sent from.
///
/// Probes of the same addresses and port go from different ports, so that an answer belongs to one
/// of them alone; all others share. Those that ask for the same port cannot be told apart: the later
/// are twins of the first.
struct PortPlan {
  struct Line: Hashable {
    var source: IPAddress
    /// A port that was asked for.
    var fixed: UInt16?
    /// The number of the port among the run's own.
    var number: Int
  }

  private var pairs = AddressPairs()
  private var asked: [UInt64: Int] = [:]
  private var firsts: [UInt64: Int] = [:]
  /// By probe, the first one whose packets look the same; only for those that are not the first.
  private(set) var twins: [Int: Int] = [:]

  mutating func line(for probe: Probe, _ index: Int) -> Line {
    let kind: UInt64 =
      switch probe.kind {
      case .tcp(let port): 1 << 16 | UInt64(port)
      case .udp(let port): 2 << 16 | UInt64(port)
      case .icmp(let type, let code): 3 << 16 | UInt64(type) << 8 | UInt64(code)
      }
    let fixed = probe.sourcePort.map { 1 << 16 | UInt64($0) } ?? 0
    let question = pairs.number(probe.source, probe.destination) << 36 | kind << 17 | fixed
    if probe.sourcePort != nil {
      if let first = firsts[question] { twins[index] = first } else { firsts[question] = index }
    }
    let number = asked[question, default: 0]
    asked[question] = number + 1
    return Line(
      source: probe.source, fixed: probe.sourcePort,
      number: probe.sourcePort == nil ? number : 0)
  }
}
