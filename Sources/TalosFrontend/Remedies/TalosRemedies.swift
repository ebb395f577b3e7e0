package import Addresses

/// What would have to be written into the documents so that packets meet another fate.
///
/// Each is a proposal: it is small and probably right, and whoever asked proves it.
package enum TalosRemedies {
  /// Ports of a protocol that a remedy is about.
  package struct Target: Hashable, Sendable {
    package var transport: TransportProtocol
    package var ports: IntervalSet
    /// What listens there, for the name of a new rule; nil where it has no name.
    package var service: String?

    package init(_ transport: TransportProtocol, _ ports: IntervalSet, service: String? = nil) {
      self.transport = transport
      self.ports = ports
      self.service = service
    }

    /// What Talos' documentation calls the rule for the ports.
    var wellKnownName: String? {
      guard transport == .tcp else {
        return transport == .udp && ports.onlyValue == 51820 ? "kubespan" : nil
      }
      return switch ports.lowest {
      case 2379, 2380: ports.highest ?? 0 <= 2380 ? "etcd" : nil
      case 6443: ports.onlyValue == nil ? nil : "kubernetes-api"
      case 10250: ports.onlyValue == nil ? nil : "kubelet"
      case 50000: ports.onlyValue == nil ? nil : "apid"
      case 50001: ports.onlyValue == nil ? nil : "trustd"
      default: nil
      }
    }

    var ranges: [PortRange] {
      ports.intervals.map { PortRange(UInt16($0.lower), UInt16($0.upper)) }
    }
  }

  /// Changes, and the configuration that they lead to.
  package struct Proposal: Hashable, Sendable {
    package var edits: [ConfigurationEdit]
    package var configuration: MachineConfiguration

    package var size: Int { edits.reduce(0) { $0 + $1.size } }
    /// What is to be done, and the YAML of it.
    package var text: String { edits.map(\.text).joined(separator: "\n") }
  }

  /// More sources or exceptions than this are no remedy to read.
  static let mostEntries = 64

  /// Ways to let sources connect to ports, the smallest first.
  package static func admitting(
    _ sources: AddressSet, to targets: [Target], in configuration: MachineConfiguration
  ) -> [Proposal] {
    let ways =
      configuration.action == .block
      ? [Admission.rulesOfThePorts, .rulesOfTheSources, .newRules] : [.allRules, .withoutExcepts]
    return proposals(ways, configuration) { way, configuration in
      targets.flatMap { way.edits($0, sources, configuration) }
    }
  }

  /// Ways to keep sources from connecting to ports, the smallest first.
  package static func refusing(
    _ sources: AddressSet, to targets: [Target], in configuration: MachineConfiguration
  ) -> [Proposal] {
    let ways =
      configuration.action == .block
      ? [Refusal.byExceptions, .bySubnets] : [.byExceptions, .bySubnets, .byNewRules]
    return proposals(ways, configuration) { way, configuration in
      targets.flatMap { way.edits($0, sources, configuration) }
    }
  }

  private static func proposals<Way>(
    _ ways: [Way], _ configuration: MachineConfiguration,
    _ edits: (Way, MachineConfiguration) -> [ConfigurationEdit]
  ) -> [Proposal] {
    var proposals: [Proposal] = []
    for way in ways {
      let edits = edits(way, configuration)
      let entries = edits.reduce(0) { $0 + $1.size }
      guard !edits.isEmpty, entries <= mostEntries else { continue }
      var changed = configuration
      for edit in edits { changed.apply(edit) }
      if !proposals.contains(where: { $0.edits == edits }) {
        proposals.append(Proposal(edits: edits, configuration: changed))
      }
    }
    return proposals.enumerated()
      .sorted { ($0.element.size, $0.offset) < ($1.element.size, $1.offset) }
      .map(\.element)
  }
}

extension NetworkRule {
  /// The rule's ports, overlaps joined; ranges that Talos refuses hold none.
  var portSet: IntervalSet {
    IntervalSet(
      ports.filter { $0.value.lower <= $0.value.upper }.map {
        Interval(UInt128($0.value.lower), UInt128($0.value.upper))
      })
  }

  /// Whether the rule says anything about a target.
  func concerns(_ target: TalosRemedies.Target) -> Bool {
    transport?.value == target.transport && portSet.overlaps(target.ports)
  }
}

extension MachineConfiguration {
  /// A name for a new document that no document has.
  func freeName(for target: TalosRemedies.Target) -> String {
    let service = target.service ?? target.wellKnownName
    let port = target.ports.lowest.map { "-\($0)" } ?? ""
    let base = "\(service ?? "\(target.transport)\(port)")-ingress"
    let taken = Set(rules.map(\.name.value))
    if !taken.contains(base) { return base }
    return (2...).lazy.map { "\(base)-\($0)" }.first { !taken.contains($0) } ?? base
  }
}
