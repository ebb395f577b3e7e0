import Addresses
import LinuxKernel
import TestSupport
import Testing

@testable import Probing

/// Namespaces need root, or an environment that must have them.
let canMakeNetworks: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces")

/// The addresses of a ``ProbeNetwork``.
struct Ends: Sendable, CustomTestStringConvertible {
  var near: IPAddress
  var far: IPAddress

  var testDescription: String { near.family.rawValue }

  static let all: [Ends] = {
    [
      (ProbeNetwork.near.ipv4, ProbeNetwork.far.ipv4),
      (ProbeNetwork.near.ipv6, ProbeNetwork.far.ipv6),
    ].compactMap { near, far in
      guard let near = IPAddress(near), let far = IPAddress(far) else { return nil }
      return Ends(near: near, far: far)
    }
  }()
}

extension ProbeNetwork {
  /// Runs probes from the near end.
  func observe(
    _ probes: [Probe], key: RunKey = .fresh(), rate: Rate = .unlimited,
    means: ProbeRun.Means = .raw, capture: String? = nil, isUnprivileged: Bool = false
  ) throws -> [Observation] {
    final class Box: @unchecked Sendable { var observations: [Observation] = [] }
    let box = Box()
    try inside(.near) {
      var run = try ProbeRun(probes, key: key, rate: rate, means: means, capture: capture)
      if isUnprivileged { try Privileges.dropPrivileges() }
      box.observations = try run.run()
    }
    return box.observations
  }
}

@Suite("TCP from the near end", canMakeNetworks, .serialized)
struct NearTCPTests {
  /// What the far end does with the ports: 1000 is open, 1001 closed; all others as named.
  static let ruleset = """
    table inet t {
      chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 2000 drop
        tcp dport 2001 reject with tcp reset
        tcp dport 2002 reject
        tcp dport 2003 reject with icmpx admin-prohibited
        tcp dport 2004 reject with icmpx host-unreachable
        tcp dport 2005 reject with icmpx no-route
        meta nfproto ipv4 tcp dport 2006 reject with icmp net-prohibited
        meta nfproto ipv4 tcp dport 2007 reject with icmp host-prohibited
        meta nfproto ipv4 tcp dport 2008 reject with icmp prot-unreachable
        meta nfproto ipv4 tcp dport 2009 reject with icmp net-unreachable
        meta nfproto ipv6 tcp dport 2006 reject with icmpv6 policy-fail
        meta nfproto ipv6 tcp dport 2007 reject with icmpv6 reject-route
      }
    }
    """

  static func errors(_ family: IPFamily) -> [UInt16: (UInt8, UInt8)] {
    switch family {
    case .ipv4:
      [
        2002: (3, 3), 2003: (3, 13), 2004: (3, 1), 2005: (3, 0), 2006: (3, 9), 2007: (3, 10),
        2008: (3, 2), 2009: (3, 0),
      ]
    case .ipv6:
      [2002: (1, 4), 2003: (1, 1), 2004: (1, 3), 2005: (1, 0), 2006: (1, 5), 2007: (1, 6)]
    }
  }

  static func expected(_ ends: Ends) -> [(UInt16, Observation.Answer)] {
    let plain: [(UInt16, Observation.Answer)] = [
      (1000, .synAcknowledgement), (1001, .reset), (2000, .silence), (2001, .reset),
    ]
    return plain
      + errors(ends.near.family).sorted { $0.key < $1.key }.map { port, error in
        (port, .icmpError(type: error.0, code: error.1, sender: ends.far))
      }
  }

  @Test(arguments: Ends.all, [ProbeRun.Means.raw, .connect])
  func `every answer is told apart, ten times over`(
    _ ends: Ends, means: ProbeRun.Means
  ) throws {
    let network = try ProbeNetwork()
    try network.shell(.far, "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
    try network.load(.far, Self.ruleset)
    try network.listen(tcp: [1000])
    let expected = Self.expected(ends)
    for _ in 0..<10 {
      let observations = try network.observe(
        expected.map {
          Probe(from: ends.near, to: ends.far, .tcp($0.0), timeout: .milliseconds(100))
        }, means: means)
      for (observation, (port, answer)) in zip(observations, expected) {
        #expect(observation.answer == answer, "port \(port)")
        #expect(observation.transmissions == (answer == .silence ? 2 : 1), "port \(port)")
      }
    }
  }
}
