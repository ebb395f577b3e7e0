/// Everything that filters on one host, as nftables models it.
///
/// The one model of the house: front-ends produce it, simulation, proof and audit read it.
package struct Ruleset: Hashable, Sendable {
  package var tables: [Table]
  /// The version of nft that listed the ruleset, if it says so.
  package var nftVersion: String?

  package init(tables: [Table] = [], nftVersion: String? = nil) {
    self.tables = tables
    self.nftVersion = nftVersion
  }

  /// How many rules all chains hold together.
  package var ruleCount: Int {
    tables.reduce(0) { $0 + $1.chains.reduce(0) { $0 + $1.rules.count } }
  }
}

/// A table: a name space for chains, sets and stateful objects of one family.
package struct Table: Hashable, Sendable {
  package var family: Family
  package var name: String
  package var handle: Int?
  /// Whether the table is dormant: its base chains are not registered.
  package var isDormant: Bool
  package var chains: [Chain]
  /// Named sets and maps; a ``SetReference/named(_:)`` is an index into this list.
  package var sets: [NamedSet]
  package var objects: [StatefulObject]
  package var flowtables: [String]

  package init(
    family: Family, name: String, handle: Int? = nil, isDormant: Bool = false,
    chains: [Chain] = [], sets: [NamedSet] = [], objects: [StatefulObject] = [],
    flowtables: [String] = []
  ) {
    self.family = family
    self.name = name
    self.handle = handle
    self.isDormant = isDormant
    self.chains = chains
    self.sets = sets
    self.objects = objects
    self.flowtables = flowtables
  }
}

/// A list of rules, run at a hook (base chain) or only when jumped to (regular chain).
package struct Chain: Hashable, Sendable {
  package var name: String
  package var handle: Int?
  /// Where the chain is hooked in; nil for a regular chain.
  package var base: BaseChain?
  package var rules: [Rule]
  /// Whether the chain stands inside the rule that jumps to it (`jump { … }`); its name is made up.
  package var isAnonymous: Bool

  package init(
    name: String, handle: Int? = nil, base: BaseChain? = nil, rules: [Rule] = [],
    isAnonymous: Bool = false
  ) {
    self.name = name
    self.handle = handle
    self.base = base
    self.rules = rules
    self.isAnonymous = isAnonymous
  }
}

/// What makes a chain a base chain.
package struct BaseChain: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    case filter
    case nat
    case route
  }

  package enum Policy: String, Hashable, Sendable {
    case accept
    case drop
  }

  package var kind: Kind
  package var hook: Hook
  /// Chains of a hook run in rising order.
  package var priority: Int
  package var policy: Policy
  /// The devices of an ingress or egress chain; nil where the listing does not say (nft 1.0.6
  /// leaves `dev` out of its JSON) and for all other hooks.
  package var devices: [String]?

  package init(
    kind: Kind, hook: Hook, priority: Int, policy: Policy = .accept, devices: [String]? = nil
  ) {
    self.kind = kind
    self.hook = hook
    self.priority = priority
    self.policy = policy
    self.devices = devices
  }
}

/// A stateful object that rules refer to by name.
package struct StatefulObject: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    case counter
    case quota
    case limit
    case ctHelper = "ct helper"
    case ctTimeout = "ct timeout"
    case ctExpectation = "ct expectation"
    case synproxy
    case secmark
    case tunnel
  }

  package var kind: Kind
  package var name: String
  /// The gate that a rule naming the object passes through, for limits and quotas.
  package var gate: Gate?

  package init(kind: Kind, name: String, gate: Gate? = nil) {
    self.kind = kind
    self.name = name
    self.gate = gate
  }
}
