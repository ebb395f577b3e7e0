import Rulesets
import Wire

/// What packets of one run leave behind in rules and sets.
struct RunState: Sendable {
  var gates: [GatePlan.State]
  /// The last number that each counter gave; nil where it is not known.
  var counters: [UInt32?]
  var sets: [Int32: DynamicSet] = [:]
  /// Set where packets before the run may have left anything behind.
  var isDoubtful = false

  /// How to take a step back.
  enum Undo {
    case gate(Int, GatePlan.State)
    case counter(Int, UInt32?)
    case entry(Int32, [UInt128], DynamicSet.Entry?)
    case counts(Int32, Int, Int)
    case doubt(Int32)
  }

  /// Steps of a walk that may turn out to meet something unknown, the last one last.
  var journal: [Undo] = []
  /// Gates that ways side by side passed.
  var pendingGates: Set<Int> = []
  var pendingCounters: Set<Int> = []

  init(_ program: borrowing Program) {
    gates = program.gates.map(\.initialState)
    counters = program.counters.map { $0.modulus - 1 }
  }

  mutating func takeBack() {
    while let step = journal.popLast() {
      switch step {
      case .gate(let gate, let state): gates[gate] = state
      case .counter(let counter, let last): counters[counter] = last
      case .entry(let set, let key, let entry): sets[set]?.entries[key] = entry
      case .counts(let set, let least, let most):
        sets[set]?.leastCount = least
        sets[set]?.mostCount = most
      case .doubt(let set): sets[set]?.isUnknown = false
      }
    }
  }
}

extension Simulator {
  /// Takes what packets before the run may have left in limits, quotas, counters and sets as not
  /// known.
  package mutating func doubtState() {
    state.isDoubtful = true
    for set in program.sets.indices where program.sets[set].isDynamic {
      var dynamic = dynamicSet(Int32(set))
      dynamic.isUnknown = true
      state.sets[Int32(set)] = dynamic
    }
  }

  /// Settles what ways of the last packet that were followed side by side may have left.
  mutating func settleState() {
    state.journal.removeAll(keepingCapacity: true)
    if !state.pendingGates.isEmpty {
      for gate in state.pendingGates { program.gates[gate].settle(&state.gates[gate]) }
      state.pendingGates.removeAll()
    }
    if !state.pendingCounters.isEmpty {
      for counter in state.pendingCounters { state.counters[counter] = nil }
      state.pendingCounters.removeAll()
    }
  }

  /// Lets the packet through a gate.
  mutating func admit(_ gate: Int, _ packet: borrowing Packet, _ hook: Hook) -> GatePlan.Answer {
    if state.isDoubtful { return .unknown }
    if isExploring {
      state.pendingGates.insert(gate)
    } else {
      state.journal.append(.gate(gate, state.gates[gate]))
    }
    return program.gates[gate].admit(
      byteCount: size(of: packet, hook), &state.gates[gate], isShared: isExploring)
  }

  /// The packet's size as limits, quotas and `meta length` count it.
  func size(of packet: borrowing Packet, _ hook: Hook) -> Int {
    // Padding is cut off only after the ingress hook.
    hook == .ingress ? packet.bytes.count : packet.layout.byteCount
  }

  /// The next number of a counter.
  mutating func count(_ counter: Int) -> Loaded {
    let (modulus, offset, reason) = program.counters[counter]
    if modulus == 1 { return .value(UInt128(offset)) }
    guard !state.isDoubtful, let last = state.counters[counter],
      !state.pendingCounters.contains(counter)
    else { return .unknown(reason) }
    let next = last + 1 < modulus ? last + 1 : 0
    if isExploring {
      // The other ways may come by here or not.
      state.pendingCounters.insert(counter)
    } else {
      state.journal.append(.counter(counter, last))
      state.counters[counter] = next
    }
    return .value(UInt128(next) + UInt128(offset))
  }

  func dynamicSet(_ set: Int32) -> DynamicSet {
    let count = program.sets[Int(set)].count
    return state.sets[set] ?? DynamicSet(leastCount: count, mostCount: count)
  }

  /// What packets made of a key, or nil where the listing says.
  func dynamicEntry(_ set: Int, _ first: Int) -> DynamicSet.Entry? {
    guard let dynamic = state.sets[Int32(set)] else { return nil }
    if dynamic.isUnknown { return .uncertain }
    let width = program.sets[set].width
    return dynamic.entries[Array(registers[first..<first + width])]
  }

  /// Adds an element to a set, refreshes it or takes it out.
  ///
  /// Source: net/netfilter/nft_dynset.c `nft_dynset_eval`.
  mutating func change(
    _ number: Int, _ packet: borrowing Packet, _ hook: Hook
  ) -> (answer: GatePlan.Answer, reason: Int32) {
    let change = program.setChanges[number]
    let set = change.set
    let width = program.sets[Int(set)].width
    if state.sets[set] == nil { state.sets[set] = dynamicSet(set) }
    let first = Int(change.key)
    for part in first..<first + width where isUnknown(UInt8(part)) {
      // Any element may be another now.
      if state.sets[set]?.isUnknown == false {
        state.sets[set]?.isUnknown = true
        if !isExploring { state.journal.append(.doubt(set)) }
      }
    }
    if dynamicSet(set).isUnknown {
      return change.operation == .delete
        ? (.passes, -1) : (.unknown, change.gates.isEmpty ? change.fullReason : gateReason(change))
    }
    let key = Array(registers[first..<first + width])
    let entry = state.sets[set]?.entries[key]
    switch change.operation {
    case .delete:
      remove(key, from: set, entry)
      return (.passes, -1)
    case .add, .update: break
    }
    switch entry {
    case .present(var element):
      let answer = admit(&element, packet, hook)
      enter(.present(element), key, set)
      return answer
    case .uncertain:
      if !isExploring { addToCounts(set, least: 0, most: 1) }
      return change.gates.isEmpty && dynamicSet(set).mostCount < change.size
        ? (.passes, -1) : (.unknown, change.fullReason)
    case .absent, nil:
      if entry == nil, case .hit(let element) = program.sets[Int(set)].find(registers, first),
        element != CompiledSet.catchAll
      {
        return admitListed(Int(set), element, change, packet, hook)
      }
    }
    let counts = dynamicSet(set)
    if counts.leastCount >= change.size { return (.breaks, -1) }
    guard counts.mostCount < change.size else {
      enter(.uncertain, key, set)
      addToCounts(set, least: 0, most: 1)
      return (.unknown, change.fullReason)
    }
    var element = DynamicSet.Element(
      values: [], gates: change.gates.map { program.gates[Int($0)].initialState },
      change: Int32(number))
    let dataWidth = program.sets[Int(set)].dataWidth
    for part in 0..<dataWidth {
      let register = change.data + UInt8(part)
      if isUnknown(register) { element.isUncertain = true }
      element.values.append(registers[Int(register)])
    }
    let answer = admit(&element, packet, hook)
    enter(
      change.expires || isExploring || element.isUncertain ? .uncertain : .present(element), key,
      set)
    addToCounts(set, least: isExploring || change.expires ? 0 : 1, most: 1)
    return answer
  }

  private func gateReason(_ change: SetChange) -> Int32 {
    change.gates.first.map { program.gates[Int($0)].reason } ?? -1
  }

  /// Passes an element's own gates, all of which see the packet until one stops it.
  private func admit(
    _ element: inout DynamicSet.Element, _ packet: borrowing Packet, _ hook: Hook
  ) -> (answer: GatePlan.Answer, reason: Int32) {
    let gates = program.setChanges[Int(element.change)].gates
    for (index, gate) in gates.enumerated() {
      let plan = program.gates[Int(gate)]
      let answer =
        state.isDoubtful
        ? .unknown
        : plan.admit(
          byteCount: size(of: packet, hook), &element.gates[index], isShared: isExploring)
      if isExploring { plan.settle(&element.gates[index]) }
      if answer != .passes { return (answer, plan.reason) }
    }
    return (.passes, -1)
  }

  private mutating func admitListed(
    _ set: Int, _ element: Int, _ change: SetChange, _ packet: borrowing Packet, _ hook: Hook
  ) -> (answer: GatePlan.Answer, reason: Int32) {
    let doubt = program.sets[set].doubt(element)
    let gate = program.sets[set].gate(element)
    if doubt >= 0 {
      // It may be gone, and come anew.
      return gate < 0 && change.gates.isEmpty
        && dynamicSet(Int32(set)).mostCount < change.size
        ? (.passes, -1) : (.unknown, doubt)
    }
    guard gate >= 0 else { return (.passes, -1) }
    return (admit(Int(gate), packet, hook), program.gates[Int(gate)].reason)
  }

  private mutating func remove(_ key: [UInt128], from set: Int32, _ entry: DynamicSet.Entry?) {
    switch entry {
    case .absent: return
    case .present, .uncertain: break
    case nil:
      guard case .hit(let element) = program.sets[Int(set)].find(key, 0),
        element != CompiledSet.catchAll
      else { return }
    }
    enter(isExploring ? .uncertain : .absent, key, set)
    // A dead element counts until it is collected.
    addToCounts(set, least: -1, most: 0)
  }

  private mutating func enter(_ entry: DynamicSet.Entry, _ key: [UInt128], _ set: Int32) {
    if !isExploring {
      state.journal.append(.entry(set, key, state.sets[set]?.entries[key]))
    }
    state.sets[set]?.entries[key] = entry
  }

  private mutating func addToCounts(_ set: Int32, least: Int, most: Int) {
    guard let dynamic = state.sets[set] else { return }
    if !isExploring {
      state.journal.append(.counts(set, dynamic.leastCount, dynamic.mostCount))
    }
    state.sets[set]?.leastCount = max(0, dynamic.leastCount + least)
    state.sets[set]?.mostCount = dynamic.mostCount + most
  }

  /// Passes the gates of an element that packets added.
  mutating func admitDynamic(
    _ set: Int, _ first: Int, _ packet: borrowing Packet, _ hook: Hook
  ) -> (answer: GatePlan.Answer, reason: Int32) {
    let width = program.sets[set].width
    let key = Array(registers[first..<first + width])
    guard case .present(var element) = state.sets[Int32(set)]?.entries[key],
      !element.gates.isEmpty
    else { return (.passes, -1) }
    let answer = admit(&element, packet, hook)
    enter(.present(element), key, Int32(set))
    return answer
  }
}

extension Simulator {
  /// Takes it that another packet may have met rules and sets, one that the host sends by itself or
  /// one whose way is not known.
  mutating func disturb(_ effects: Program.Effects) {
    for gate in effects.gates {
      state.pendingGates.insert(Int(gate))
      // No error that a host sends is longer (RFC 4443 §2.4).
      _ = program.gates[Int(gate)].admit(
        byteCount: 1280, &state.gates[Int(gate)], isShared: true)
    }
    for counter in effects.counters { state.pendingCounters.insert(Int(counter)) }
    for set in effects.sets {
      var dynamic = dynamicSet(set)
      dynamic.isUnknown = true
      state.sets[set] = dynamic
    }
  }
}
