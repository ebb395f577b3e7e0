package import Addresses
internal import PacketSets
internal import Rulesets

/// Turns matches into conditions over dimensions, for one table at one hook.
struct MatchConditions {
  let table: Table
  let context: HookContext

  /// When a match holds.
  func condition(of match: Match, in register: inout DimensionRegister) -> Condition {
    switch match.right {
    case .set(let reference):
      return membership(of: match, in: reference, &register)
    case .values(let values):
      guard case .concatenation(let parts) = match.left, parts.count == values.count else {
        return unknown(match)
      }
      return concatenation(
        parts, keys: [values.map { Interval($0) }], isNegated: match.operator == .notEqual,
        &register)
    case .expression:
      return unknown(match)
    case .value(let value):
      return comparison(match, value, &register)
    case .range(let interval):
      switch match.operator {
      case .equal, .anyBit:
        return test(match.left, IntervalSet(interval), isNegated: false, match, &register)
      case .notEqual:
        return test(match.left, IntervalSet(interval), isNegated: true, match, &register)
      case .less, .greater, .lessOrEqual, .greaterOrEqual, .noBit:
        return unknown(match)
      }
    }
  }

  private func unknown(_ match: Match) -> Condition {
    Condition(guards: [], test: .unknown(RulePrinter(table).text(of: match)))
  }

  /// A comparison with one value.
  private func comparison(
    _ match: Match, _ right: UInt128, _ register: inout DimensionRegister
  ) -> Condition {
    let left = match.left
    switch match.operator {
    case .equal:
      return test(left, IntervalSet(right), isNegated: false, match, &register)
    case .notEqual:
      return test(left, IntervalSet(right), isNegated: true, match, &register)
    case .less:
      let below = right == 0 ? .empty : IntervalSet(Interval(0, right - 1))
      return test(left, below, isNegated: false, match, &register)
    case .lessOrEqual:
      return test(left, IntervalSet(Interval(0, right)), isNegated: false, match, &register)
    case .greater:
      return test(left, IntervalSet(Interval(0, right)), isNegated: true, match, &register)
    case .greaterOrEqual:
      let below = right == 0 ? .empty : IntervalSet(Interval(0, right - 1))
      return test(left, below, isNegated: true, match, &register)
    case .anyBit:
      return test(
        .masked(left, mask: right, flip: 0), IntervalSet(0), isNegated: true, match, &register)
    case .noBit:
      return test(
        .masked(left, mask: right, flip: 0), IntervalSet(0), isNegated: false, match, &register)
    }
  }

  /// That the value of `expression` lies in `values`, or, negated, outside them.
  private func test(
    _ expression: Expression, _ values: IntervalSet, isNegated: Bool, _ match: Match,
    _ register: inout DimensionRegister
  ) -> Condition {
    switch expression {
    case .constant(let value, _):
      return Condition(
        guards: [], test: values.contains(value) != isNegated ? .always : .never)
    case .selector(let selector):
      return test(selector, mask: .max, flip: 0, values, isNegated: isNegated, match, &register)
    case .masked(.selector(let selector), let mask, let flip):
      return test(
        selector, mask: mask, flip: flip, values, isNegated: isNegated, match, &register)
    case .masked(.masked(let inner, let innerMask, let innerFlip), let mask, let flip):
      // ((x & a ^ b) & c) ^ d  =  (x & (a & c)) ^ ((b & c) ^ d)
      return test(
        .masked(inner, mask: innerMask & mask, flip: innerFlip & mask ^ flip), values,
        isNegated: isNegated, match, &register)
    case .masked(.constant(let value, _), let mask, let flip):
      return Condition(
        guards: [],
        test: values.contains(value & mask ^ flip) != isNegated ? .always : .never)
    case .lookup(let key, let map):
      return lookedUp(key, map, values, isNegated: isNegated, match, &register)
    case .masked, .shifted, .concatenation, .unmodelled:
      return unknown(match)
    }
  }

  /// That `(field & mask) ^ flip` lies in `values`.
  private func test(
    _ selector: Selector, mask fieldMask: UInt128, flip: UInt128, _ values: IntervalSet,
    isNegated: Bool, _ match: Match, _ register: inout DimensionRegister
  ) -> Condition {
    let (guards, reading) = register.reading(of: selector, in: context)
    guard let guards else { return .never }
    func decided(_ holds: Bool) -> Condition {
      Condition(guards: guards, test: holds != isNegated ? .always : .never)
    }
    switch reading {
    case .absent:
      return .never
    case .unknown:
      return Condition(
        guards: guards, test: .unknown(RulePrinter(table).text(of: match)))
    case .constant(let value, _):
      return decided(values.contains(value & fieldMask ^ flip))
    case .partly(let known, let value, let width):
      let mask = fieldMask & Proof.mask(width)
      if mask & ~known != 0,
        let agreeing = values.filtered({ ($0 ^ flip) & mask & known == value & mask & known }),
        agreeing.isEmpty
      {
        return decided(false)
      }
      guard mask & ~known == 0 else {
        return Condition(
          guards: guards, test: .unknown(RulePrinter(table).text(of: match)))
      }
      return decided(values.contains(value & mask ^ flip))
    case .option(let isThere, let value, let width):
      return option(
        isThere, value, width, guards, mask: fieldMask, flip: flip, values, isNegated: isNegated,
        match, &register)
    case .nextHeader:
      return nextHeader(
        guards, mask: fieldMask, flip: flip, values, isNegated: isNegated, match, &register)
    case .addressType(let dimension):
      guard fieldMask == .max, flip == 0 else { return unknown(match) }
      return addressType(dimension, guards, values, isNegated: isNegated, match)
    case .status(let dimension, let known, let constant):
      return status(
        dimension, known: known, constant, guards, mask: fieldMask, flip: flip, values,
        isNegated: isNegated, match, register)
    case .bits(let slices):
      var choices: [Dimension] = []
      var readsTuples = false
      for slice in slices {
        guard case .dimension(let dimension) = slice.source else { continue }
        if register.isChoice(dimension) { choices.append(dimension) }
        readsTuples = readsTuples || TupleMember(dimension) != nil
      }
      guard
        let boxes = boxes(
          slices, mask: fieldMask, flip: flip, values, in: register)
      else {
        let text = RulePrinter(table).text(of: match)
        guard slices.count == 1, case .dimension(let dimension) = slices[0].source else {
          return Condition(guards: guards, test: .unknown(text))
        }
        return Condition(
          guards: guards,
          test: .computed(
            ComputedTest(
              dimension: dimension, shift: slices[0].shift, width: slices[0].width,
              mask: fieldMask, flip: flip, values: values, isNegated: isNegated, text: text))
        ).reading(choices, tuples: readsTuples)
      }
      return Condition(guards: guards, boxes: boxes, isNegated: isNegated)
        .reading(choices, tuples: readsTuples)
    }
  }

  /// That the host knows an address as one of some types.
  func addressType(
    _ dimension: Dimension, _ guards: [Constraint]?, _ types: IntervalSet, isNegated: Bool,
    _ match: Match
  ) -> Condition {
    guard let guards else { return .never }
    let accepted =
      isNegated
      ? AddressTypeTest.types.subtracting(types) : types.intersection(AddressTypeTest.types)
    return Condition(
      guards: guards,
      test: .addressType(
        AddressTypeTest(
          dimension: dimension, accepted: accepted, text: RulePrinter(table).text(of: match))))
  }

  /// What `ct status` says: bits that translation sets, and others that are the same for all.
  private func status(
    _ dimension: Dimension, known: UInt128, _ constant: UInt128, _ guards: [Constraint],
    mask fieldMask: UInt128, flip: UInt128, _ values: IntervalSet, isNegated: Bool, _ match: Match,
    _ register: DimensionRegister
  ) -> Condition {
    let domain = register[dimension].domain
    let mask = fieldMask & Proof.mask(32)
    var accepted: [Interval] = []
    for word in domain.intervals.map(\.lower) {
      let bits = (constant | word) & mask
      // What can still be read where some of the bits are not known.
      let possible = values.filtered { ($0 ^ flip) & mask & known == bits & known }
      if mask & ~known == 0 {
        if values.contains(bits ^ flip) != isNegated { accepted.append(Interval(word)) }
      } else if let possible, possible.isEmpty {
        if isNegated { accepted.append(Interval(word)) }
      } else {
        return Condition(guards: guards, test: .unknown(RulePrinter(table).text(of: match)))
      }
    }
    let set = IntervalSet(accepted)
    if set.isEmpty { return .never }
    return Condition(guards: guards, test: .anyOf([[Constraint(dimension, set, domain: domain)]]))
  }

  /// A TCP option's presence, which reads 0 where there is none, or its value, which BREAKs there.
  private func option(
    _ isThere: Dimension, _ value: Dimension?, _ width: Int, _ guards: [Constraint],
    mask fieldMask: UInt128, flip: UInt128, _ values: IntervalSet, isNegated: Bool, _ match: Match,
    _ register: inout DimensionRegister
  ) -> Condition {
    let transports = register.domain(of: .transportProtocol, in: context.family)
    let there = [
      Constraint(
        .transportProtocol, IntervalSet(UInt128(TransportProtocol.tcp.rawValue)),
        domain: transports),
      Constraint(isThere, IntervalSet(1), domain: register[isThere].domain),
    ]
    guard let value else {
      let acceptsPresent = values.contains(1 & fieldMask ^ flip) != isNegated
      let acceptsAbsent = values.contains(flip) != isNegated
      switch (acceptsPresent, acceptsAbsent) {
      case (true, true): return Condition(guards: guards, test: .always)
      case (true, false): return Condition(guards: guards, test: .anyOf([there]))
      case (false, true): return Condition(guards: guards, test: .noneOf([there]))
      case (false, false): return .never
      }
    }
    let slice = BitSlice(
      source: .dimension(value), shift: 0, width: width, dimensionWidth: width)
    guard let boxes = boxes([slice], mask: fieldMask, flip: flip, values, in: register) else {
      return Condition(
        guards: guards + there, test: .unknown(RulePrinter(table).text(of: match)))
    }
    return Condition(guards: guards + there, boxes: boxes, isNegated: isNegated)
  }

  /// `ip6 nexthdr` reads the transport protocol unless an extension header stands before it.
  private func nextHeader(
    _ guards: [Constraint], mask fieldMask: UInt128, flip: UInt128, _ values: IntervalSet,
    isNegated: Bool, _ match: Match, _ register: inout DimensionRegister
  ) -> Condition {
    let width = 8
    let whole = IntervalSet(bitWidth: width)
    guard
      var accepted = values.masked(by: fieldMask & mask(width), flip: flip, width: width)
    else { return unknown(match) }
    if isNegated { accepted = whole.subtracting(accepted) }
    let transport = Constraint(.transportProtocol, accepted, domain: whole)
    guard context.coversUnusualPackets else {
      return Condition(guards: guards, test: .anyOf([[transport]]))
    }
    // 0 stands for no extension header; the numbers are those of RFC 8200 §4.1 and RFC 4302.
    let extensions = IntervalSet([0, 43, 44, 51, 60, 135].map { Interval($0 + 1) })
    let first = register.field(
      "ip6 extension header", domain: extensions.union(IntervalSet(0)))
    let domain = register[first].domain
    let shifted = IntervalSet(
      accepted.intervals.map { Interval($0.lower + 1, $0.upper + 1) })
    let named = shifted.intersection(extensions)
    var boxes = [[transport, Constraint(first, IntervalSet(0), domain: domain)]]
    if !named.isEmpty { boxes.append([Constraint(first, named, domain: domain)]) }
    return Condition(guards: guards, test: .anyOf(boxes))
  }

  /// The boxes in which `(bits & mask) ^ flip` lies in `values`; nil where that takes too many.
  func boxes(
    _ slices: [BitSlice], mask fieldMask: UInt128 = .max, flip: UInt128 = 0,
    _ values: IntervalSet, in register: DimensionRegister
  ) -> [[Constraint]]? {
    let width = slices.reduce(0) { $0 + $1.width }
    if slices.count == 1, case .dimension(let dimension) = slices[0].source,
      fieldMask & mask(width) != mask(width) || flip != 0,
      let set = register.domain(of: dimension, in: context.family).filtered({ whole in
        let bits = whole >> UInt128(slices[0].shift) & mask(width)
        return values.contains(bits & fieldMask ^ flip)
      })
    {
      let domain = register.domain(of: dimension, in: context.family)
      return set.isEmpty ? [] : [[Constraint(dimension, set, domain: domain)]]
    }
    guard let plain = values.masked(by: fieldMask & mask(width), flip: flip, width: width) else {
      return nil
    }
    if slices.count == 1 {
      guard let constraint = constraint(slices[0], plain, in: register) else { return nil }
      return constraint.map { [[$0]] } ?? []
    }
    var boxes: [[Constraint]] = []
    for interval in plain.intervals {
      guard let parts = lexicographic(slices[...], interval, in: register) else { return nil }
      boxes += parts
      if boxes.count > 4_096 { return nil }
    }
    return boxes
  }

  /// That one slice lies in `values`: `.some(nil)` where it cannot, nil where it takes too many
  /// intervals.
  private func constraint(
    _ slice: BitSlice, _ values: IntervalSet, in register: DimensionRegister
  ) -> Constraint?? {
    switch slice.source {
    case .constant(let value):
      // A constant that fits constrains nothing; it is told by any dimension's whole domain.
      let domain = register.domain(of: .transportProtocol, in: context.family)
      return values.contains(value)
        ? .some(Constraint(.transportProtocol, domain, domain: domain)) : .some(nil)
    case .dimension(let dimension):
      let domain = register.domain(of: dimension, in: context.family)
      if slice.width == slice.dimensionWidth {
        let set = values.intersection(IntervalSet(bitWidth: slice.width))
        return .some(set.isEmpty ? nil : Constraint(dimension, set, domain: domain))
      }
      let sliceMask = mask(slice.width) << UInt128(slice.shift)
      let lifted = IntervalSet(
        values.intersection(IntervalSet(bitWidth: slice.width)).intervals.map {
          Interval(
            $0.lower << UInt128(slice.shift),
            $0.upper << UInt128(slice.shift) | mask(slice.shift))
        })
      guard !lifted.isEmpty else { return .some(nil) }
      guard
        let set = lifted.preimage(
          underMask: sliceMask | mask(slice.shift), width: slice.dimensionWidth)
      else { return nil }
      return .some(Constraint(dimension, set, domain: domain))
    }
  }

  /// The boxes in which slices side by side, read as one number, lie in `interval`.
  private func lexicographic(
    _ slices: ArraySlice<BitSlice>, _ interval: Interval, in register: DimensionRegister
  ) -> [[Constraint]]? {
    guard let first = slices.first else { return [[]] }
    let rest = slices.dropFirst()
    let below = rest.reduce(0) { $0 + $1.width }
    let lowest = interval.lower >> UInt128(below)
    let highest = interval.upper >> UInt128(below)
    let tailLower = interval.lower & mask(below)
    let tailUpper = interval.upper & mask(below)
    var boxes: [[Constraint]] = []
    func add(_ heads: Interval, _ tail: Interval) -> Bool {
      guard let head = constraint(first, IntervalSet(heads), in: register) else { return false }
      guard let head else { return true }
      guard let tails = lexicographic(rest, tail, in: register) else { return false }
      boxes += tails.map { [head] + $0 }
      return true
    }
    let wholeTail = Interval(0, mask(below))
    if lowest == highest {
      return add(Interval(lowest), Interval(tailLower, tailUpper)) ? boxes : nil
    }
    var middleLower = lowest
    var middleUpper = highest
    if tailLower > 0 {
      guard add(Interval(lowest), Interval(tailLower, wholeTail.upper)) else { return nil }
      middleLower += 1
    }
    if tailUpper < wholeTail.upper {
      guard add(Interval(highest), Interval(0, tailUpper)) else { return nil }
      middleUpper -= 1
    }
    if middleLower <= middleUpper {
      guard add(Interval(middleLower, middleUpper), wholeTail) else { return nil }
    }
    return boxes
  }
}

extension IntervalSet {
  /// The x of `width` bits for which `(x & mask) ^ flip` lies in this set; nil where that takes too
  /// many intervals.
  package func masked(by mask: UInt128, flip: UInt128, width: Int) -> IntervalSet? {
    let whole = Proof.mask(width)
    if mask & whole == whole, flip == 0 { return intersection(IntervalSet(bitWidth: width)) }
    guard flip != 0 else { return preimage(underMask: mask, width: width) }
    // y ^ flip turns intervals into intervals only block by block; single numbers always work.
    var flipped: [Interval] = []
    for interval in intervals {
      guard interval.span <= 4_096 else { return nil }
      for value in interval.lower...interval.upper { flipped.append(Interval(value ^ flip)) }
    }
    return IntervalSet(flipped).preimage(underMask: mask, width: width)
  }
}
