internal import Addresses
internal import Diagnostics
internal import Scenarios
internal import TalosFrontend

/// Reads the two rulesets that `diff` holds against each other.
///
/// A machine configuration leaves to the node what it does not say. Where a node stands on the other
/// side, that is taken from there, and told.
struct DriftReading {
  /// What is to be read for one side.
  struct Wish {
    var operand: FirewallOperand
    var name: String
    var options: [FirewallDeclaration.Option]
  }

  private var loading: FirewallLoading
  /// What was taken from the other side or left out, each in one sentence.
  private(set) var notes: [String] = []

  init(console: Console) { loading = FirewallLoading(console: console) }

  /// Reads both sides.
  ///
  /// - Throws: ``Stop`` where one cannot be read, which has been told.
  mutating func sides(
    _ old: Wish, _ new: Wish, _ sources: inout SourceMap
  ) throws(Stop) -> (old: DriftComparison.Side, new: DriftComparison.Side) {
    switch (old.operand.kind == .talos, new.operand.kind == .talos) {
    case (true, false):
      let sides = try configuration(old, heldBy: new, &sources)
      return (sides.wanted, sides.held)
    case (false, true):
      let sides = try configuration(new, heldBy: old, &sources)
      return (sides.held, sides.wanted)
    case (true, true), (false, false):
      return (try side(old, &sources), try side(new, &sources))
    }
  }

  private mutating func side(
    _ wish: Wish, _ sources: inout SourceMap
  ) throws(Stop) -> DriftComparison.Side {
    DriftComparison.Side(
      name: wish.name, ruleset: try wish.operand.ruleset(wish.options, &loading, &sources),
      isWhole: !wish.operand.kind.isOneOfSeveral)
  }

  /// A machine configuration, and what a node holds.
  private mutating func configuration(
    _ wanted: Wish, heldBy held: Wish, _ sources: inout SourceMap
  ) throws(Stop) -> (wanted: DriftComparison.Side, held: DriftComparison.Side) {
    var question = try wanted.operand.question(wanted.options, loading, sources)
    var held = try side(held, &sources)
    if question.nodeAddresses == .notKnown, FirewallFeatures(question.version).hasPrerouting {
      takeAddresses(for: &question, named: wanted.name, from: held)
    }
    let reading = try loading.talos(question, sources: &sources)
    if let configuration = reading.talos?.configuration, configuration.mayHaveKubeSpan {
      let chains = TalosNode.removeKubeSpan(from: &held.ruleset)
      if !chains.isEmpty {
        notes.append(
          "KubeSpan makes \(chains.joined(separator: " and ")) of what peers announce, and they drop "
            + "nothing: these chains of \(held.name) are left out")
      }
    }
    return (
      DriftComparison.Side(
        name: wanted.name, ruleset: reading.ruleset,
        isWhole: !wanted.operand.kind.isOneOfSeveral), held
    )
  }

  /// Takes the node's addresses from what it holds.
  ///
  /// They come and go on a node without any change of its configuration. That the node holds
  /// the rules which the configuration makes of the addresses it says it has can be told without
  /// knowing them; that they are its addresses cannot.
  private mutating func takeAddresses(
    for question: inout TalosQuestion, named name: String, from held: DriftComparison.Side
  ) {
    guard let addresses = TalosNode.ownAddresses(in: held.ruleset)?.members else {
      notes.append(
        "\(held.name) does not say what the node's addresses are; give them to \(name) "
          + "with --with node=ADDRESS,ADDRESS")
      return
    }
    question.nodeAddresses = .known(addresses)
    let list = addresses.map { "\($0)" }.joined(separator: ", ")
    notes.append(
      "the node's addresses are taken from \(held.name), and whether it has them is not looked at: "
        + list)
  }
}

extension MachineConfiguration {
  /// Whether KubeSpan is on, or nothing tells that it is off: a part of a configuration may leave
  /// that to the rest.
  fileprivate var mayHaveKubeSpan: Bool { isKubeSpanEnabled?.value ?? (legacy == nil) }
}
