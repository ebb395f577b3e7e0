package import Addresses
package import Diagnostics
package import Outcomes

/// One line of a scenario file after names, groups and defaults are resolved: which packets it
/// covers and what is expected of them.
package struct Flow: Hashable, Sendable {
  /// `suite/3`, or what `id` says.
  package var id: String
  package var suite: String
  /// The line in canonical form: `worker -> cp 50001 tcp expect allow`.
  package var text: String
  package var span: SourceSpan
  /// Where the words after `expect` stand (the keyword `only` for lines made from it).
  package var expectationSpan: SourceSpan
  package var sources: AddressSet
  package var destinations: AddressSet
  /// The hosts with several addresses that are on both sides.
  ///
  /// A packet whose two addresses belong to one of these is not asked about, nor is one from an
  /// address to itself.
  package var sharedHosts: [AddressSet] = []
  package var services: [Service]
  /// Source ports of services that have ports; nil for any.
  package var sourcePorts: IntervalSet?
  package var families: Set<IPFamily>
  /// What `in` says: the interface the first packet arrives on.
  package var inputInterface: String?
  package var state: ConnectionState
  package var expectation: Expectation
  package var severity: ClaimOutcome.Severity
  package var tags: [String]
  package var because: String?
  package var skip: String?
  package var expectedFailure: String?
  /// How long a probe waits for an answer, in seconds; nil for the default.
  package var timeoutSeconds: Double?
  package var retries: Int?
  package var mode: Mode

  package enum Mode: String, Hashable, Sendable {
    /// Proved and probed, by whichever command is run.
    case both
    /// Never probed.
    case `static`
    /// Never proved.
    case live
  }

  package enum Expectation: Hashable, Sendable {
    case allow
    case deny
    case drop
    /// Any reject, or exactly one.
    case reject(RejectReason?)
  }

  package enum RejectReason: String, Hashable, Sendable, CaseIterable {
    case tcpReset = "tcp-reset"
    case portUnreachable = "port-unreachable"
    case hostUnreachable = "host-unreachable"
    case noRoute = "no-route"
    case adminProhibited = "admin-prohibited"
  }

  package enum ConnectionState: String, Hashable, Sendable, CaseIterable {
    case new, established, related, invalid, untracked
  }

  package init(
    id: String, suite: String, text: String, span: SourceSpan, expectationSpan: SourceSpan,
    sources: AddressSet, destinations: AddressSet, services: [Service],
    sourcePorts: IntervalSet? = nil, families: Set<IPFamily> = [.ipv4, .ipv6],
    inputInterface: String? = nil, state: ConnectionState = .new, expectation: Expectation,
    severity: ClaimOutcome.Severity = .high, tags: [String] = [], because: String? = nil,
    skip: String? = nil, expectedFailure: String? = nil, timeoutSeconds: Double? = nil,
    retries: Int? = nil, mode: Mode = .both
  ) {
    self.id = id
    self.suite = suite
    self.text = text
    self.span = span
    self.expectationSpan = expectationSpan
    self.sources = sources
    self.destinations = destinations
    self.services = services
    self.sourcePorts = sourcePorts
    self.families = families
    self.inputInterface = inputInterface
    self.state = state
    self.expectation = expectation
    self.severity = severity
    self.tags = tags
    self.because = because
    self.skip = skip
    self.expectedFailure = expectedFailure
    self.timeoutSeconds = timeoutSeconds
    self.retries = retries
    self.mode = mode
  }
}

/// Something that listens: a protocol, and what of it.
package struct Service: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// Every protocol.
    case any
    /// A protocol with ports (TCP, UDP, SCTP) and the destination ports; all ports where the line
    /// names none.
    case ports(TransportProtocol, IntervalSet)
    /// A protocol by its number, whatever its header holds.
    case transport(TransportProtocol)
    /// ICMP in IPv4.
    case icmp(type: UInt8?, code: UInt8?)
    /// ICMPv6.
    case icmpv6(type: UInt8?, code: UInt8?)
  }

  package var kind: Kind
  /// Whether only the first packet counts: nothing comes back to the source port.
  package var isOneWay: Bool
  /// As the line calls it: `etcd`, `50001 tcp`.
  package var name: String

  package init(_ kind: Kind, isOneWay: Bool = false, name: String) {
    self.kind = kind
    self.isOneWay = isOneWay
    self.name = name
  }
}

/// A firewall that a scenario file names.
package struct FirewallDeclaration: Hashable, Sendable {
  package enum Placement: Hashable, Sendable {
    /// Filters what enters and leaves each of these hosts.
    case on(AddressSet)
    /// Stands on the path of flows from one set to the other, both ways.
    case between(AddressSet, AddressSet)
  }

  /// An option after `with`.
  package struct Option: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
      case text(String)
      case number(Int)
      case addresses(AddressSet)
      /// `with group "sg-1" = worker`.
      case named(String, AddressSet)
    }

    package var name: String
    package var value: Value
    package var span: SourceSpan

    package init(name: String, value: Value, span: SourceSpan) {
      self.name = name
      self.value = value
      self.span = span
    }
  }

  package var name: String
  /// `nft`, `live`, …, lower case.
  package var kind: String
  package var kindSpan: SourceSpan
  /// The file, relative to the folder of the scenario file that names it.
  package var path: String?
  package var pathSpan: SourceSpan?
  package var placement: Placement
  package var options: [Option]
  package var span: SourceSpan

  package init(
    name: String, kind: String, kindSpan: SourceSpan, path: String?, pathSpan: SourceSpan?,
    placement: Placement, options: [Option], span: SourceSpan
  ) {
    self.name = name
    self.kind = kind
    self.kindSpan = kindSpan
    self.path = path
    self.pathSpan = pathSpan
    self.placement = placement
    self.options = options
    self.span = span
  }
}

/// The interface that a host's addresses are reached through, from `iface`.
package struct InterfaceAssignment: Hashable, Sendable {
  package var addresses: AddressSet
  package var interface: String

  package init(addresses: AddressSet, interface: String) {
    self.addresses = addresses
    self.interface = interface
  }
}

/// A host that a scenario file names.
package struct HostDeclaration: Hashable, Sendable {
  package var name: String
  package var addresses: AddressSet
  /// What `iface` says.
  package var interface: String?
  /// What `agent` says: an entry of the operator's file of agents.
  package var agent: String?
  /// Where its name stands.
  package var span: SourceSpan

  package init(
    name: String, addresses: AddressSet, interface: String? = nil, agent: String? = nil,
    span: SourceSpan
  ) {
    self.name = name
    self.addresses = addresses
    self.interface = interface
    self.agent = agent
    self.span = span
  }
}

/// What a scenario file and everything it includes come to.
package struct ScenarioPlan: Sendable {
  package var flows: [Flow]
  package var firewalls: [FirewallDeclaration]
  package var interfaces: [InterfaceAssignment]
  package var hosts: [HostDeclaration] = []
  /// Names of hosts and groups with their addresses, in order of declaration, for explanations.
  package var names: [(name: String, addresses: AddressSet)]
  /// The addresses that probes may be sent to: those of hosts, and of groups that name a host.
  package var probeTargets = AddressSet.empty

  package init(
    flows: [Flow] = [], firewalls: [FirewallDeclaration] = [],
    interfaces: [InterfaceAssignment] = [], names: [(name: String, addresses: AddressSet)] = []
  ) {
    self.flows = flows
    self.firewalls = firewalls
    self.interfaces = interfaces
    self.names = names
  }
}
