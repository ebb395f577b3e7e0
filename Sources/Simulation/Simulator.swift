import Addresses
package import Rulesets

/// Evaluates packets against one compiled ruleset.
///
/// What packets of one run leave behind (connections, changed sets) is kept between calls, as it
/// would be on a host. Where something is met that neither packet nor ruleset answers, every
/// alternative is followed, and an answer is given only if all of them agree.
package struct Simulator: ~Copyable {
  let program: Program
  #if FAULTS
  let fault: Fault?
  #endif
  let host: Host?
  /// Whether steps are recorded in ``trace``.
  package var isTracing = false
  /// The steps of the last packet, as far as they were certain.
  package internal(set) var trace: [TraceEntry] = []

  var registers: [UInt128]
  /// The registers whose values are not known.
  var unknownRegisters: UInt64 = 0
  var returns: [Int32] = []
  var isExploring = false
  var alternatives: [Alternative] = []
  var visited: Set<Alternative> = []
  /// Why the answer is not known, and the rule that met it; -1 while all is known.
  var unknownReason: Int32 = -1
  var unknownRule: Int32 = -1
  /// Why more than one thing may hold since an earlier hook, and the rule that met it.
  var earlierReason: Int32 = -1
  var earlierRule: Int32 = -1
  /// The rule that gave the last verdict; -1 for a chain's end.
  var decidingRule: Int32 = -1
  /// The base chain that gave the last verdict.
  var decidingChain: Int32 = -1
  var ends = Ends()
  /// The policy of the base chain that is being explored.
  var chainPolicyDrops = false
  var phase = HookPlan.Phase.after
  /// What the connection table says of the packet at hand, once asked.
  var tracked: TrackedPacket?
  /// Set while a packet is followed from the wire, so that no device has decrypted it.
  var isWholeWay = false
  /// The bits of one register that are not known where the others are.
  var partialRegister: Int16 = -1
  var partialMask: UInt128 = 0
  var partialReason: Int32 = -1
  /// Set on the second way of a packet that came back on `lo`.
  var isReturning = false
  var connections = ConnectionTable()
  /// The datagrams of the run of which tracking keeps a fragment.
  var keptFragments: Set<[UInt8]> = []
  /// Whether packets that pass their last hook open connections, as they do on a host.
  ///
  /// What a host sends to itself always does: the sandbox, where all else ends before, lets it.
  package var keepsConnections = true
  /// Where a walk goes on once the packet was rewritten: the instruction, the next rule's, the rule.
  var resumption: (position: Int, next: Int, rule: Int32) = (0, 0, -1)
  /// What packets left in rules and sets.
  var state: RunState
  /// Reasons that no ruleset gave.
  let fixedReasons: FixedReasons

  /// Makes an engine for a compiled ruleset, on a host where routing matters.
  package init(_ program: consuming Program, host: Host? = nil) {
    fixedReasons = FixedReasons(adding: &program)
    #if FAULTS
    fault = Fault.switchedOn
    if let fault { program.apply(fault) }
    #endif
    state = RunState(program)
    self.program = program
    self.host = host
    registers = Array(repeating: 0, count: program.registerCount)
  }

  /// A way of the packet that is still to be followed.
  struct Alternative: Hashable {
    var position: Int32
    /// The rule that the position is in and where the next one begins, where it is inside one.
    var rule: Int32 = -1
    var next: Int32 = -1
    var returns: [Int32]
    var environment: Environment
  }

  /// How a walk through a chain ends.
  enum End {
    case accept
    case drop
    case reject(Int32)
    /// The base chain's policy decides.
    case policy
    /// Something unknown was met in a walk that follows one way only.
    case unknown
    /// The way joined one that was already followed.
    case joined
    /// The packet was rewritten, and the walk goes on with the new one.
    case rewritten
  }

  /// How many positions are visited before an answer is given up.
  static let explorationLimit = 50_000
  /// The kernel's own limit on nested jumps (NFT_JUMP_STACK_SIZE).
  static let jumpLimit = 16
  /// How many times a way may change chains without coming back.
  static let transferLimit = 10_000

  mutating func note(_ reason: Int32, _ rule: Int32) {
    guard unknownReason < 0 else { return }
    unknownReason = reason
    unknownRule = rule
  }
}

/// One step of a packet's way.
package struct TraceEntry: Hashable, Sendable {
  package enum Step: Hashable, Sendable {
    case accept, drop, reject(Rejection), jump(chain: Int), goto(chain: Int), `return`
    case policyAccept, policyDrop
    case translate
  }

  package var hook: Hook
  package var location: RuleLocation
  package var step: Step
}

/// What a hook, or a host, does with a packet.
package enum PacketVerdict: Hashable, Sendable {
  case accept
  case drop
  case reject(Rejection)
  case unknown
}

/// The answer of one hook.
package struct HookAnswer: Hashable, Sendable {
  package var verdict: PacketVerdict
  /// The rule that decided, its table and chain with `rule` nil for a policy, or nil where no chain
  /// said anything.
  package var decidedBy: RuleLocation?
  /// Why the verdict is not known.
  package var reason: String?
}

/// Numbers of reasons that do not come from a rule.
struct FixedReasons: Sendable {
  let budget: Int32
  let order: Int32
  let device: Int32
  let fragment: Int32
  let altered: Int32
  let connectionState: Int32
  let connectionKey: Int32
  let link: Int32
  let meta: Int32
  let options: Int32
  let route: Int32
  let changedSet: Int32
  let tracking: Int32
  let bound: Int32
  let mark: Int32
  let translated: Int32
  let listedAlike: Int32
  let protocolNotListed: Int32

  init(adding program: inout Program) {
    budget = program.reason("too many alternatives to follow")
    order = program.reason(
      "chains of several tables share a priority, and the listing does not tell their order")
    device = program.reason("the listing does not say on which device the chain runs")
    fragment = program.reason("kernels differ in how they read fragments after the first")
    altered = program.reason("the packet was rewritten before, and the new bytes are not followed")
    connectionState = program.reason("the state of the connection is not known")
    connectionKey = program.reason("this key of the connection is not known")
    link = program.reason("the frame around the packet is not known")
    meta = program.reason("this metadata is not part of the packet")
    options = program.reason("this header's options are not read")
    route = program.reason("the route is not known")
    changedSet = program.reason("packets of this run changed the set")
    tracking = program.reason("whether connections are tracked is not known")
    bound = program.reason("the flow may be translated already")
    translated = program.reason("its addresses were rewritten, and the new way is not followed")
    listedAlike = program.reason(
      "nft lists the rule alike whether it tests for IPv4 or IPv6 or does not")
    protocolNotListed = program.reason(
      "nft may have left a test of the protocol out of its listing")
    mark = program.reason("the mark was set to a value that is not known")
  }
}
