extension Ruleset {
  /// Everything in the ruleset that the model does not cover, in order.
  package var unmodelled: [Unmodelled] {
    var list: [Unmodelled] = []
    for table in tables {
      for set in table.sets { set.contents.collect(into: &list) }
      for chain in table.chains {
        for rule in chain.rules { list += rule.unmodelled }
      }
    }
    return list
  }
}

extension Rule {
  /// What the model does not cover of the rule.
  package var unmodelled: [Unmodelled] {
    var list: [Unmodelled] = []
    for statement in statements { statement.collect(into: &list) }
    return list
  }
}

extension Statement {
  fileprivate func collect(into list: inout [Unmodelled]) {
    switch self {
    case .match(let match):
      match.left.collect(into: &list)
      switch match.right {
      case .value, .range, .values: break
      case .set(let set): set.collect(into: &list)
      case .expression(let expression): expression.collect(into: &list)
      }
    case .verdictMap(let key, let map):
      key.collect(into: &list)
      map.collect(into: &list)
    case .gate(let gate): gate.collect(into: &list)
    case .object(_, let reference):
      switch reference {
      case .named: break
      case .mapped(let key, let map):
        key.collect(into: &list)
        map.collect(into: &list)
      }
    case .mangle(_, let value): value.collect(into: &list)
    case .translate(let translation):
      for part in [
        translation.address, translation.addressUpper, translation.port, translation.portUpper,
      ] {
        part?.collect(into: &list)
      }
    case .setUpdate(let update):
      update.set.collect(into: &list)
      update.key.collect(into: &list)
      update.data?.collect(into: &list)
      for gate in update.gates { gate.collect(into: &list) }
    case .diverts(let unmodelled), .unmodelled(let unmodelled): list.append(unmodelled)
    case .verdict, .reject, .notrack, .inert, .duplicate: break
    }
  }
}

extension Gate {
  fileprivate func collect(into list: inout [Unmodelled]) {
    switch self {
    case .other(let unmodelled): list.append(unmodelled)
    case .limit, .quota, .connectionCount: break
    }
  }
}

extension Expression {
  fileprivate func collect(into list: inout [Unmodelled]) {
    switch self {
    case .constant, .selector: break
    case .masked(let operand, _, _), .shifted(let operand, _, _): operand.collect(into: &list)
    case .concatenation(let parts):
      for part in parts { part.collect(into: &list) }
    case .lookup(let key, let map):
      key.collect(into: &list)
      map.collect(into: &list)
    case .unmodelled(let unmodelled): list.append(unmodelled)
    }
  }
}

extension SetReference {
  fileprivate func collect(into list: inout [Unmodelled]) {
    switch self {
    // A named set is counted where it is declared.
    case .named: break
    case .anonymous(let contents): contents.collect(into: &list)
    case .missing(let name):
      list.append(Unmodelled(text: "@\(name)", reason: "the set is not in the listing"))
    }
  }
}

extension SetContents {
  fileprivate func collect(into list: inout [Unmodelled]) {
    for element in elements {
      if case .unmodelled(let unmodelled) = element.data { list.append(unmodelled) }
      for gate in element.gates { gate.collect(into: &list) }
    }
    if case .unmodelled(let unmodelled) = catchAll { list.append(unmodelled) }
  }
}
