internal import Addresses
internal import Outcomes
internal import PacketSets
internal import Rulesets

extension PartPairing {
  /// A packet of a pair, as a reader sees it.
  func difference(of pair: Pair) -> Equivalence.Difference {
    var cube = pair.common
    cube.assign(IntervalSet(question.connectionState), to: .connectionState)
    // A mark that nobody set is 0, and so is that of a connection.
    for dimension in [Dimension.mark, register.connectionMark]
    where cube[dimension]?.contains(0) == true {
      cube.assign(IntervalSet(0), to: dimension)
    }
    let leaf = Leaf(
      state: PacketState(cube: cube), fate: pair.old.fate, firewall: 0,
      location: pair.old.leaf.location)
    let witness = Witness(leaf, in: question.family)
    let names = register.described(leaf)
    var bytes: [UInt8]?
    if case .bytes(let made, _) = WitnessBytes(witness, names, crossedRouters: 0).make() {
      bytes = made
    }
    var packet = PacketDescription(witness)
    packet.state = question.stateName
    packet.further = names.filter { $0.kind == .packet && $0.isConstrained && !$0.isUsual }
      .map { PacketDescription.Field(name: $0.name, value: String($0.set.lowest ?? 0)) }
    if let mark = cube[.mark], !mark.contains(0), let lowest = mark.lowest {
      packet.further.append(PacketDescription.Field(name: "meta mark", value: String(lowest)))
    }
    let exceeded = cube.furtherEntries.compactMap { entry -> String? in
      let meaning = register[entry.dimension]
      guard meaning.kind == .gate, !entry.set.contains(1) else { return nil }
      return meaning.name.hasSuffix(" not exceeded")
        ? meaning.name.dropLast(" not exceeded".count) + " exceeded" : "no \(meaning.name)"
    }
    return Equivalence.Difference(
      family: question.family, hook: question.hook, packet: packet, bytes: bytes,
      inputName: witness.inputName, outputName: witness.outputName,
      connectionState: question.stateName, old: side(pair.old), new: side(pair.new),
      conditions: exceeded)
  }

  private func side(_ part: TreatedPart) -> Equivalence.Side {
    var verdict = part.fate.verdict
    if part.fate == .accepted {
      for (dimension, set) in part.written.sorted(by: { $0.key < $1.key }) {
        let value = set.onlyValue.map { String($0) } ?? "another value"
        verdict += ", with \(register.name(of: dimension)) \(value)"
      }
      if part.isUntracked { verdict += ", not tracked" }
    }
    let location = part.leaf.location ?? part.leaf.state.path?.steps.last?.location
    return Equivalence.Side(verdict: verdict, fate: part.fate, location: location)
  }
}

extension Leaf.Fate {
  fileprivate var verdict: String {
    switch self {
    case .accepted: "accept"
    case .dropped: "drop"
    case .rejected(let rejection):
      "reject with \(RulePrinter(Table(family: .inet, name: "")).text(of: rejection))"
    case .unknown(let reason): "not known: \(reason)"
    }
  }
}
