import Addresses
package import Rulesets

/// A ruleset compiled for evaluation: flat lists with every name resolved.
package struct Program: Sendable {
  struct CompiledChain: Sendable {
    var start: Int32
    var isPolicyDrop: Bool
    var isNat: Bool
    var table: Int
    var chain: Int
    /// The devices of an ingress or egress chain; nil where the listing does not say.
    var devices: [InterfaceName]?
    /// Whether packets with broken extension headers never get to the rules.
    ///
    /// Source: net/netfilter/nft_chain_filter.c `nft_do_chain_inet_ingress`.
    var dropsBrokenHeaders = false
    /// The mangling of it and of what it jumps to can matter to chains beside it.
    var hasSideEffects = false
  }

  /// Whether connection tracking is on for a family.
  enum Tracking: Sendable { case off, on, unknown }

  var instructions: [Instruction] = []
  var sets: [CompiledSet] = []
  var guards: [Guard] = []
  var constants: [UInt128] = []
  var rejections: [Rejection] = []
  var gates: [GatePlan] = []
  var setChanges: [SetChange] = []
  /// What `numgen inc` counts up to, and what it adds.
  var counters: [(modulus: UInt32, offset: UInt32, reason: Int32)] = []
  /// Where rule number n stands.
  var locations: [RuleLocation] = []
  /// Phrases that say why something is not known.
  var reasons: [String] = []
  /// Base chains, in the order of the listing.
  var chains: [CompiledChain] = []
  var plans: [HookPlan] = []
  var trackingIPv4 = Tracking.off
  var trackingIPv6 = Tracking.off
  /// What packets may change between packets.
  struct Effects: Sendable {
    var gates: [Int32] = []
    var counters: [Int32] = []
    var sets: [Int32] = []
    var isEmpty: Bool { gates.isEmpty && counters.isEmpty && sets.isEmpty }
  }

  /// What packets that the host sends by itself may change, and those that it sends to itself.
  var sendingEffects = Effects()
  /// What any packet may change.
  var effects = Effects()
  var loopEffects = Effects()
  /// The families whose packets the kernel translates: those that a chain of type nat sees.
  ///
  /// Source: net/netfilter/nft_chain_nat.c, whose chains register `nf_nat_ipv4_ops`,
  /// `nf_nat_ipv6_ops` or, those of inet, both.
  var translatedFamilies: Set<IPFamily> = []
  /// Whether a statement chooses zones, in which the same ends may have other connections.
  var setsZones = false
  /// Whether the ruleset has an ingress chain at all.
  var hasIngress = false
  /// Whether it has an egress chain.
  var hasEgress = false
  var registerCount = 8
  /// The number in its table of the chain that begins at an instruction.
  var chainStarts: [Int32: Int] = [:]

  /// Compiles a ruleset.
  ///
  /// - Complexity: O(n log n) in the number of rules and elements.
  package init(_ ruleset: Ruleset) {
    var compiler = RulesetCompiler(ruleset)
    compiler.compile()
    self = compiler.program
  }

  init() {}

  func tracking(_ family: IPFamily) -> Tracking {
    switch family {
    case .ipv4: trackingIPv4
    case .ipv6: trackingIPv6
    }
  }

  func plan(_ hook: Hook, _ family: IPFamily) -> HookPlan {
    plans[HookPlan.index(hook, family)]
  }

  /// Adds constants that stand side by side, and returns the first one's number.
  mutating func constants(_ values: UInt128...) -> Int32 {
    constants += values
    return Int32(constants.count - values.count)
  }

  mutating func reason(_ text: String) -> Int32 {
    reasons.append(text)
    return Int32(reasons.count - 1)
  }
}

/// The base chains of one hook for one family, in the orders in which they may run.
struct HookPlan: Sendable {
  enum Entry: Sendable {
    /// A base chain, an index into the program's chains, and when it runs.
    case chain(Int32, Phase)
    /// The kernel translates packets of flows that are already bound.
    case boundFlows
    /// The kernel binds flows that no chain has bound.
    case unboundFlows
  }

  /// Whether connection tracking has looked at the packet.
  enum Phase: UInt8, Sendable { case before, undecided, after }

  /// Every order that may be in force; more than one only where they can differ in effect.
  var schedules: [[Entry]] = [[]]
  /// Whether a chain runs before tracking puts fragments together.
  var hasChainsBeforeReassembly = false
  /// Set where there are more orders than are tried.
  var tooManyOrders = false

  static func index(_ hook: Hook, _ family: IPFamily) -> Int {
    let position =
      switch hook {
      case .ingress: 0
      case .prerouting: 1
      case .input: 2
      case .forward: 3
      case .output: 4
      case .postrouting: 5
      case .egress: 6
      }
    switch family {
    case .ipv4: return position * 2
    case .ipv6: return position * 2 + 1
    }
  }
}
