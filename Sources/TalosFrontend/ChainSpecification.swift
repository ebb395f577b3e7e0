package import Addresses
package import Rulesets

/// A chain as Talos wants it: the resource `NfTablesChains.net.talos.dev`.
///
/// Talos makes these from its configuration, and the kernel's rules from these. `talosctl get
/// nftableschain -o yaml` shows them.
package struct ChainSpecification: Hashable, Sendable {
  /// The resource's id and the chain's name: `ingress`, `prerouting`, `kubespan_prerouting`.
  package var name: String
  package var kind: BaseChain.Kind
  package var hook: Hook
  package var priority: Int
  package var policy: BaseChain.Policy
  package var rules: [ChainRuleSpecification]

  package init(
    name: String, kind: BaseChain.Kind = .filter, hook: Hook, priority: Int,
    policy: BaseChain.Policy = .accept, rules: [ChainRuleSpecification] = []
  ) {
    self.name = name
    self.kind = kind
    self.hook = hook
    self.priority = priority
    self.policy = policy
    self.rules = rules
  }

  /// The table that holds every chain of Talos' (`constants.DefaultNfTablesTableName`).
  package static let tableName = "talos"
}

/// A rule of a ``ChainSpecification``: what is not nil must match, then what is asked is done.
///
/// The kernel holds it as no, one or two rules (``ChainLowering``).
package struct ChainRuleSpecification: Hashable, Sendable {
  package var inputNames: InterfaceMatch?
  package var outputNames: InterfaceMatch?
  package var mark: MarkMatch?
  /// The states of which the connection must have one; nil or none: not asked.
  package var connectionStates: [ConnectionState]?
  package var source: AddressMatch?
  package var destination: AddressMatch?
  package var layer4: Layer4Match?
  /// Packets per second that pass, all together; the burst is as many.
  package var packetsPerSecond: UInt64?
  /// The MTU that the maximum segment size of TCP is clamped to, in bytes.
  package var clampedMTU: UInt16?
  package var markChange: MarkChange?
  package var hasCounter: Bool
  package var decision: Decision?
  /// Whether Talos surely has the rule so.
  package var certainty: Certainty
  /// The document the rule came from, and Talos' word for the rule.
  package var provenance: Provenance

  package init(
    inputNames: InterfaceMatch? = nil, outputNames: InterfaceMatch? = nil,
    mark: MarkMatch? = nil, connectionStates: [ConnectionState]? = nil,
    source: AddressMatch? = nil, destination: AddressMatch? = nil, layer4: Layer4Match? = nil,
    packetsPerSecond: UInt64? = nil, clampedMTU: UInt16? = nil, markChange: MarkChange? = nil,
    hasCounter: Bool = false, decision: Decision? = nil, certainty: Certainty = .certain,
    provenance: Provenance = Provenance()
  ) {
    self.inputNames = inputNames
    self.outputNames = outputNames
    self.mark = mark
    self.connectionStates = connectionStates
    self.source = source
    self.destination = destination
    self.layer4 = layer4
    self.packetsPerSecond = packetsPerSecond
    self.clampedMTU = clampedMTU
    self.markChange = markChange
    self.hasCounter = hasCounter
    self.decision = decision
    self.certainty = certainty
    self.provenance = provenance
  }
}

extension ChainRuleSpecification {
  /// What a rule does with the packets that match.
  package enum Decision: String, Hashable, Sendable, CaseIterable {
    case accept
    case drop
  }

  /// The name of the packet's device is, or is not, one of several.
  package struct InterfaceMatch: Hashable, Sendable {
    package enum Operator: String, Hashable, Sendable, CaseIterable {
      case equal = "=="
      case notEqual = "!="
    }

    package var names: [String]
    package var `operator`: Operator

    package init(_ names: [String], _ operator: Operator = .equal) {
      self.names = names
      self.operator = `operator`
    }
  }

  /// `(mark & mask) ^ xor == value`.
  package struct MarkMatch: Hashable, Sendable {
    package var mask: UInt32
    package var xor: UInt32
    package var value: UInt32

    package init(mask: UInt32, xor: UInt32 = 0, value: UInt32) {
      self.mask = mask
      self.xor = xor
      self.value = value
    }
  }

  /// `mark = (mark & mask) ^ xor`.
  package struct MarkChange: Hashable, Sendable {
    package var mask: UInt32
    package var xor: UInt32

    package init(mask: UInt32, xor: UInt32) {
      self.mask = mask
      self.xor = xor
    }
  }

  /// A state of the connection table, by the kernel's bit.
  ///
  /// Source: include/uapi/linux/netfilter/nf_conntrack_common.h, `NF_CT_STATE_BIT`.
  package enum ConnectionState: String, Hashable, Sendable, CaseIterable {
    case invalid, established, related, new

    package var bit: UInt32 {
      switch self {
      case .invalid: 1
      case .established: 2
      case .related: 4
      case .new: 8
      }
    }
  }

  /// The address is in the subnets that are included and in none that is excluded; or not so.
  package struct AddressMatch: Hashable, Sendable {
    package var included: [ConfiguredPrefix]
    package var excluded: [ConfiguredPrefix]
    package var isInverted: Bool

    package init(
      _ included: [ConfiguredPrefix], excluding excluded: [ConfiguredPrefix] = [],
      isInverted: Bool = false
    ) {
      self.included = included
      self.excluded = excluded
      self.isInverted = isInverted
    }

    /// Every subnet that is included, less every one that is excluded.
    package var addresses: AddressSet {
      Self.union(included).subtracting(Self.union(excluded))
    }

    private static func union(_ prefixes: [ConfiguredPrefix]) -> AddressSet {
      func numbers(_ family: IPFamily) -> IntervalSet {
        IntervalSet(prefixes.lazy.filter { $0.family == family }.map(\.network.interval))
      }
      return AddressSet(ipv4: numbers(.ipv4), ipv6: numbers(.ipv6))
    }
  }

  /// The protocol above IP, and what its header must hold.
  package struct Layer4Match: Hashable, Sendable {
    package var transport: TransportProtocol
    package var sourcePorts: [PortRange]?
    package var destinationPorts: [PortRange]?
    package var icmpTypes: [UInt8]?

    package init(
      _ transport: TransportProtocol, sourcePorts: [PortRange]? = nil,
      destinationPorts: [PortRange]? = nil, icmpTypes: [UInt8]? = nil
    ) {
      self.transport = transport
      self.sourcePorts = sourcePorts
      self.destinationPorts = destinationPorts
      self.icmpTypes = icmpTypes
    }
  }
}
