internal import Addresses
internal import PacketSets

/// Finds packets that two sides treat differently among the parts that each divided them into.
struct PartPairing {
  let question: HookQuestion
  let register: DimensionRegister

  /// Packets that both sides treat in one way each.
  struct Pair {
    let old: TreatedPart
    let new: TreatedPart
    /// The packets that are in both.
    var common: Cube
  }

  enum Finding {
    case same
    case different(Pair)
    case unknown([String])
  }

  func finding(_ olds: [TreatedPart], _ news: [TreatedPart]) -> Finding {
    let (left, right) = withoutTwins(olds, news)
    var suspects: [Pair] = []
    var reasons: [String] = []
    func add(_ more: [String]) {
      for reason in more where !reasons.contains(reason) { reasons.append(reason) }
    }
    for old in left {
      for new in right where new.arrival.meets(old.box) {
        switch old.treatment(against: new, register, in: question.family) {
        case .same: continue
        case .unknown(let reason): add([reason])
        case .different(let narrowing):
          guard
            let common = old.arrival.split(by: new.box).inside?.split(by: narrowing).inside
          else { continue }
          let pair = Pair(old: old, new: new, common: common)
          if isCertain(pair) { return .different(pair) }
          suspects.append(pair)
        }
      }
    }
    if suspects.isEmpty { return reasons.isEmpty ? .same : .unknown(reasons) }
    if let pair = suspects.first(where: { isCertainOnceExceeded($0) }) { return .different(pair) }
    if let pair = certain(among: suspects, left, right) { return .different(pair) }
    for pair in suspects { add(doubts(of: pair)) }
    return .unknown(reasons)
  }

  /// The parts without those that are the same on both sides: they meet no other part.
  private func withoutTwins(
    _ olds: [TreatedPart], _ news: [TreatedPart]
  ) -> ([TreatedPart], [TreatedPart]) {
    var places: [Cube: Int] = [:]
    for (index, part) in news.enumerated() where part.isWhole { places[part.arrival] = index }
    var twins: Set<Int> = []
    let left = olds.filter { part in
      guard part.isWhole, let index = places[part.arrival] else { return true }
      guard case .same = part.treatment(against: news[index], register, in: question.family) else {
        return true
      }
      twins.insert(index)
      return false
    }
    return (left, news.enumerated().filter { !twins.contains($0.offset) }.map(\.element))
  }

  /// Whether the packets are treated differently while every limit is as usual, whatever is unknown.
  private func isCertain(_ pair: Pair) -> Bool {
    guard pair.old.doubts.isEmpty, pair.new.doubts.isEmpty, pair.old.exceeded.isEmpty,
      pair.new.exceeded.isEmpty
    else { return false }
    return pair.common.furtherEntries.allSatisfy { entry in
      let meaning = register[entry.dimension]
      switch meaning.kind {
      case .unknown: return entry.set == meaning.domain
      case .gate: return entry.set.contains(1)
      case .packet, .assumption, .choice, .kept: return true
      }
    }
  }

  /// Likewise, while limits that stand on both sides are exceeded.
  private func isCertainOnceExceeded(_ pair: Pair) -> Bool {
    pair.old.doubts.isEmpty && pair.new.doubts.isEmpty && pair.old.exceeded.isEmpty
      && pair.new.exceeded.isEmpty
      && pair.common.furtherEntries.allSatisfy { entry in
        let meaning = register[entry.dimension]
        return meaning.kind != .unknown || entry.set == meaning.domain
      }
  }

  /// A pair some of whose packets are treated differently whatever the unknown is.
  private func certain(
    among suspects: [Pair], _ left: [TreatedPart], _ right: [TreatedPart]
  ) -> Pair? {
    guard suspects.count <= 256 else { return nil }
    let domain = { register.domain(of: $0, in: question.family) }
    for suspect in suspects where suspect.old.exceeded.isEmpty && suspect.new.exceeded.isEmpty {
      guard usualGates(suspect.common) else { continue }
      let known = knownPart(suspect.common)
      let box = known.constraints(domain: domain).filter { $0.set != $0.domain }
      let olds = left.filter { knownPart($0.arrival).meets(box) }
      let news = right.filter { knownPart($0.arrival).meets(box) }
      guard olds.count * news.count <= 4_096 else { continue }
      var others: [Cube] = []
      for old in olds {
        for new in news {
          guard let common = old.arrival.split(by: new.box).inside else { continue }
          switch old.treatment(against: new, register, in: question.family) {
          case .same, .unknown: others.append(knownPart(common))
          // Where the difference is in a part of the packets only, it is not one in the others.
          case .different(let narrowing):
            others += common.split(by: narrowing).outside.map(knownPart)
          }
        }
      }
      guard let rest = known.subtracting(others, domain: domain, budget: 2_048)?.first else {
        continue
      }
      var pair = suspect
      pair.common = rest
      return pair
    }
    return nil
  }

  private func usualGates(_ cube: Cube) -> Bool {
    cube.furtherEntries.allSatisfy { entry in
      register[entry.dimension].kind != .gate || entry.set.contains(1)
    }
  }

  private func knownPart(_ cube: Cube) -> Cube {
    var known = cube
    for entry in cube.furtherEntries where register[entry.dimension].kind == .unknown {
      known.release(entry.dimension)
    }
    return known
  }

  private func doubts(of pair: Pair) -> [String] {
    var names = pair.old.doubts + pair.new.doubts + pair.old.exceeded + pair.new.exceeded
    for entry in pair.common.furtherEntries {
      let meaning = register[entry.dimension]
      if meaning.kind == .unknown, entry.set != meaning.domain { names.append(meaning.name) }
    }
    return names
  }
}
