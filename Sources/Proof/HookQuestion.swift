internal import Addresses
internal import PacketSets
internal import Rulesets

/// All packets that can stand before a hook, of one family and in one state.
struct HookQuestion: Hashable {
  let family: IPFamily
  let hook: Hook
  let hasInputDevice: Bool
  let hasOutputDevice: Bool
  /// The bit that `ct state` reads once connections are looked up.
  let connectionState: UInt128

  /// Every question about a hook, those a reader would ask first.
  static func all(at hook: Hook) -> [HookQuestion] {
    let devices: [(Bool, Bool)] =
      switch hook {
      case .ingress, .prerouting, .input: [(true, false)]
      case .forward: [(true, true)]
      case .output: [(false, true)]
      case .postrouting, .egress: [(true, true), (false, true)]
      }
    let states = [
      ConnectionBits.new, ConnectionBits.established, ConnectionBits.related,
      ConnectionBits.invalid, ConnectionBits.untracked,
    ]
    return states.flatMap { state in
      IPFamily.allCases.flatMap { family in
        devices.map { input, output in
          HookQuestion(
            family: family, hook: hook, hasInputDevice: input, hasOutputDevice: output,
            connectionState: state)
        }
      }
    }
  }

  var context: HookContext {
    HookContext(
      family: family, hook: hook,
      connection: connectionState == ConnectionBits.new
        ? .opening(mayBeTranslated: true)
        : .any(isEstablished: connectionState == ConnectionBits.established),
      hasInputDevice: hasInputDevice, hasOutputDevice: hasOutputDevice, coversUnusualPackets: true)
  }

  /// Every packet that the question is about.
  var packets: PacketState {
    let addresses = IntervalSet(bitWidth: family.bitWidth)
    let word = IntervalSet(bitWidth: 16)
    let none = IntervalSet(0)
    return PacketState(
      cube: Cube(core: [
        addresses, addresses, IntervalSet(bitWidth: 8), word, word,
        hasInputDevice ? Self.names : none, hasOutputDevice ? Self.names : none,
        IntervalSet(connectionState), IntervalSet(bitWidth: 32), IntervalSet(bitWidth: 8),
      ]))
  }

  /// Names begin with a visible character: `dev_valid_name` (net/core/dev.c) takes no spaces.
  private static let names = IntervalSet(Interval(0x21 << 120, .max))

  var stateName: String {
    switch connectionState {
    case ConnectionBits.invalid: "invalid"
    case ConnectionBits.established: "established"
    case ConnectionBits.related: "related"
    case ConnectionBits.untracked: "untracked"
    default: "new"
    }
  }
}

extension RulesetWalk {
  /// What becomes of all packets of a question; each part by itself.
  mutating func parts(
    of question: HookQuestion, _ register: inout DimensionRegister
  ) -> (parts: [TreatedPart], overflow: String?) {
    gates = .either
    followsRouting = false
    surroundings = nil
    station = 0
    isReturning = false
    isOpening = true
    budget = Self.comparisonBudget
    defer { followsRouting = true }
    var collector = FateCollector()
    collector.countsOneHostAlone = true
    collector.keepsAll = true
    _ = walk(
      hook: question.context, [question.packets],
      connectionState: IntervalSet(question.connectionState), isLast: true, &collector, &register)
    let parts = collector.doubtful.map {
      TreatedPart($0, from: question.connectionState, in: question.family, register)
    }
    return (parts, collector.overflow)
  }

  /// How many cubes one hook may make for one family and state.
  private static let comparisonBudget = 100_000
}
