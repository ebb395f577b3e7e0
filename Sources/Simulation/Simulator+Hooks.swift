import Addresses
import Wire
package import Rulesets

extension Simulator {
  /// What one hook does with a packet.
  ///
  /// - Parameters:
  ///   - hook: The hook, whose base chains run in their order.
  ///   - packet: The packet as it enters the hook.
  /// - Returns: The verdict of the base chains together, and the rule that gave it.
  package mutating func answer(at hook: Hook, _ packet: borrowing Packet) -> HookAnswer {
    begin()
    var environment = Environment(mark: packet.mark)
    if let answer = runStraight(hook, packet, &environment) { return answer }
    var environments = [Environment(mark: packet.mark)]
    return exploreHook(HookPlan.index(hook, packet.layout.family), packet, &environments, hook)
  }

  /// What one base chain does with a packet, whatever its hook.
  ///
  /// - Parameters:
  ///   - location: The chain's table and number in the ruleset.
  ///   - hook: The hook that the chain is at.
  ///   - packet: The packet as it enters the chain.
  /// - Returns: Nil if the chain is no base chain of a table that is awake.
  package mutating func answer(
    chain location: RuleLocation, of hook: Hook, _ packet: borrowing Packet
  ) -> HookAnswer? {
    guard
      let chain = program.chains.firstIndex(where: {
        $0.table == location.table && $0.chain == location.chain
      })
    else { return nil }
    begin()
    phase = .after
    var environment = Environment(mark: packet.mark)
    switch runChain(chain, packet, &environment, hook) {
    case .accept, .policy, .joined: return decided(.accept)
    case .drop: return decided(.drop)
    case .reject(let rejection): return decided(.reject(program.rejections[Int(rejection)]))
    case .unknown, .rewritten: state.takeBack()
    }
    unknownReason = -1
    ends = Ends()
    explore(chain: chain, packet, Environment(mark: packet.mark), hook: hook)
    return conclusion()
  }

  /// Forgets what the last packet left in the engine itself.
  mutating func begin() {
    if isTracing { trace.removeAll(keepingCapacity: true) }
    unknownReason = -1
    unknownRule = -1
    earlierReason = -1
    earlierRule = -1
    decidingRule = -1
    decidingChain = -1
    tracked = nil
    phase = .after
    settleState()
    isReturning = false
    isExploring = false
    unknownRegisters = 0
  }

  /// Runs a hook for every environment that may hold, and leaves those that may hold after it.
  mutating func run(
    _ hook: Hook, _ packet: borrowing Packet, _ environments: inout [Environment]
  ) -> HookAnswer {
    if environments.count == 1 {
      var environment = environments[0]
      if let answer = runStraight(hook, packet, &environment) {
        environments[0] = environment
        return answer
      }
    }
    return exploreHook(HookPlan.index(hook, packet.layout.family), packet, &environments, hook)
  }

  /// Runs a hook in the usual case: one order, one environment, nothing unknown.
  ///
  /// - Returns: Nil in any other case; what was recorded is taken back.
  private mutating func runStraight(
    _ hook: Hook, _ packet: borrowing Packet, _ environment: inout Environment
  ) -> HookAnswer? {
    let plan = HookPlan.index(hook, packet.layout.family)
    decidingRule = -1
    decidingChain = -1
    guard program.plans[plan].schedules.count == 1, !program.plans[plan].tooManyOrders else {
      return nil
    }
    let traced = trace.count
    state.journal.removeAll(keepingCapacity: true)
    switch runSchedule(plan, packet, &environment, hook) {
    case .accept, .policy, .joined: return decided(.accept)
    case .drop: return decided(.drop)
    case .reject(let rejection): return decided(.reject(program.rejections[Int(rejection)]))
    case .unknown, .rewritten:
      trace.removeSubrange(min(traced, trace.count)...)
      state.takeBack()
      return nil
    }
  }

  private mutating func runSchedule(
    _ plan: Int, _ packet: borrowing Packet, _ environment: inout Environment, _ hook: Hook
  ) -> End {
    environment.flags.remove(.boundAtHook)
    let schedule = program.plans[plan].schedules[0]
    for entry in schedule {
      switch applicability(of: entry, packet, environment, hook) {
      case .no: continue
      case .drops:
        decidingRule = -1
        return .drop
      case .unknown(let reason):
        note(reason, -1)
        return .unknown
      case .yes: break
      }
      switch entry {
      case .boundFlows:
        guard translateBound(packet, &environment, hook) else { return .drop }
      case .unboundFlows: bindUnbound(packet, &environment, hook)
      case .chain(let chain, let phase):
        self.phase = isReturning ? .after : phase
        #if FAULTS
        if fault == .stateKnownTooEarly { self.phase = .after }
        #endif
        let end = runChain(Int(chain), packet, &environment, hook)
        #if FAULTS
        if fault == .acceptIsFinal, case .accept = end { return .accept }
        #endif
        switch end {
        case .accept, .policy, .joined: continue
        case .drop, .reject, .unknown, .rewritten: return end
        }
      }
    }
    return .accept
  }

  private mutating func translateBound(
    _ packet: borrowing Packet, _ environment: inout Environment, _ hook: Hook
  ) -> Bool {
    let binding = binding(packet, environment)
    let arriving = environment.content.map { packet.carrying($0) } ?? copy packet
    guard translateBound(binding, arriving, &environment, hook) else { return false }
    if isReturning, hook == .prerouting,
      let content = environment.content,
      packet.carrying(content).destination != arriving.destination
    {
      environment.flags.insert(.routeForgotten)
    }
    return true
  }

  private mutating func bindUnbound(
    _ packet: borrowing Packet, _ environment: inout Environment, _ hook: Hook
  ) {
    bindUnbound(binding(packet, environment), packet, &environment, hook)
  }

  /// Walks one base chain, its policy included, as far as everything is known.
  private mutating func runChain(
    _ chain: Int, _ packet: borrowing Packet, _ environment: inout Environment, _ hook: Hook
  ) -> End {
    returns.removeAll(keepingCapacity: true)
    decidingChain = Int32(chain)
    let end = follow(
      Alternative(position: program.chains[chain].start, returns: [], environment: environment),
      packet, &environment, hook: hook)
    guard case .policy = end else { return end }
    decidingRule = -1
    let drops = program.chains[chain].isPolicyDrop
    if isTracing {
      trace.append(
        TraceEntry(
          hook: hook, location: chainLocation(chain), step: drops ? .policyDrop : .policyAccept))
    }
    return drops ? .drop : .policy
  }

  /// Whether an entry of a schedule runs for a packet.
  private enum Applicability {
    case yes
    case no
    /// The kernel drops the packet in the chain's place.
    case drops
    case unknown(Int32)
  }

  /// Whether the extension headers of a packet end before they should.
  private func hasBrokenHeaders(
    _ packet: borrowing Packet, _ environment: Environment
  ) -> Bool {
    guard let content = environment.content else { return packet.layout.transport == nil }
    return packet.carrying(content).layout.transport == nil
  }

  private mutating func applicability(
    of entry: HookPlan.Entry, _ packet: borrowing Packet, _ environment: Environment, _ hook: Hook
  ) -> Applicability {
    switch entry {
    case .unboundFlows:
      return program.tracking(packet.layout.family) != .off && !isReturning && !connections.isEmpty
        ? .yes : .no
    case .boundFlows:
      guard program.tracking(packet.layout.family) != .off else { return .no }
      switch binding(packet, environment) {
      case .none: return .no
      // On its way out it was bound, and what rules have rewritten since is translated again.
      case .new: return isReturning && environment.mapped != nil ? .yes : .no
      case .bound: return .yes
      // What it was translated to is not known, so that it was not followed back in.
      case .boundElsewhere where isReturning, .undecided where isReturning: return .no
      case .boundElsewhere:
        return packet.isRewritable(isSource: hook.translatesSources)
          ? .yes : .unknown(fixedReasons.bound)
      case .undecided:
        return mayBeTranslated(packet, environment) ? .unknown(fixedReasons.bound) : .no
      }
    case .chain(let chain, _):
      let compiled = program.chains[Int(chain)]
      if hook == .ingress || hook == .egress {
        #if FAULTS
        if fault == .ingressUnseen { return .no }
        #endif
        let device = hook == .ingress ? packet.input : packet.output
        guard let devices = compiled.devices else { return .unknown(fixedReasons.device) }
        guard case .named(let name, _) = device else { return .unknown(fixedReasons.device) }
        guard devices.contains(name) else { return .no }
        return compiled.dropsBrokenHeaders && hasBrokenHeaders(packet, environment) ? .drops : .yes
      }
      guard compiled.isNat else { return .yes }
      // Chains of type nat see only packets that begin a tracked flow (nf_nat_inet_fn).
      if isReturning || environment.flags.contains(.boundAtHook) { return .no }
      switch program.tracking(packet.layout.family) {
      case .off: return .no
      case .unknown: return .unknown(fixedReasons.tracking)
      case .on: break
      }
      #if FAULTS
      if fault == .allMeetTranslation { return .yes }
      #endif
      switch binding(packet, environment) {
      case .new: return .yes
      case .none, .bound, .boundElsewhere: return .no
      case .undecided: return .unknown(fixedReasons.bound)
      }
    }
  }

  private mutating func exploreHook(
    _ plan: Int, _ packet: borrowing Packet, _ environments: inout [Environment], _ hook: Hook
  ) -> HookAnswer {
    if program.plans[plan].tooManyOrders { note(fixedReasons.order, -1) }
    var total = Ends()
    total.isIncomplete = program.plans[plan].tooManyOrders
    let isOrdered = program.plans[plan].schedules.count == 1
    for schedule in program.plans[plan].schedules {
      var current = Set(
        environments.map { environment in
          var environment = environment
          environment.flags.remove(.boundAtHook)
          return environment
        })
      for entry in schedule {
        ends = Ends()
        for environment in current { follow(entry, packet, environment, hook) }
        total.drops = total.drops || ends.drops
        total.rejections.formUnion(ends.rejections)
        total.isIncomplete = total.isIncomplete || ends.isIncomplete
        current = ends.accepting
        if current.count > 48 {
          // Too many to keep apart: one that knows nothing stands for all.
          var joined = Environment(mark: 0)
          joined.forget(mayStopTracking: true, isTracked: false, mayTranslate: true)
          current = [joined]
        }
      }
      total.accepting.formUnion(current)
    }
    ends = total
    environments = Array(total.accepting)
    if !isOrdered, !(total.areAllAccepting || total.areAllDropping), unknownReason < 0 {
      note(fixedReasons.order, -1)
    }
    return conclusion()
  }

  private mutating func follow(
    _ entry: HookPlan.Entry, _ packet: borrowing Packet, _ environment: Environment, _ hook: Hook
  ) {
    let applies = applicability(of: entry, packet, environment, hook)
    switch applies {
    case .no:
      ends.accepting.insert(environment)
      return
    case .drops:
      ends.drops = true
      return
    case .unknown(let reason):
      note(reason, -1)
      // A related packet begins a connection of its own or is an ICMP error, which does not.
      let asksWhetherBound =
        switch entry {
        case .boundFlows, .unboundFlows: true
        case .chain(let chain, _): program.chains[Int(chain)].isNat
        }
      let isRelated = asksWhetherBound && classification(packet) == .known(.related)
      var begins = environment
      if isRelated { begins.flags.insert(.relatedBegins) }
      var follows = environment
      if isRelated { follows.flags.insert(.relatedFollows) }
      switch entry {
      case .boundFlows:
        ends.accepting.insert(begins)
        // Where the state is given, so is that the packet is sound.
        let isSpoilt = packet.state == nil && packet.isSpoiltError
        if isSpoilt || !packet.isRewritable(isSource: hook.translatesSources) { ends.drops = true }
        alterAddresses(packet, &follows)
        follows.flags.formUnion([.sourceTranslated, .destinationTranslated])
        ends.accepting.insert(follows)
      case .unboundFlows: ends.accepting.insert(environment)
      case .chain(let chain, let phase):
        ends.accepting.insert(follows)
        self.phase = isReturning ? .after : phase
        decidingChain = chain
        explore(chain: Int(chain), packet, begins, hook: hook)
      }
      return
    case .yes: break
    }
    switch entry {
    case .unboundFlows:
      var altered = environment
      bindUnbound(packet, &altered, hook)
      ends.accepting.insert(altered)
    case .boundFlows:
      var altered = environment
      if translateBound(packet, &altered, hook) {
        ends.accepting.insert(altered)
      } else {
        ends.drops = true
      }
    case .chain(let chain, let phase):
      self.phase = isReturning ? .after : phase
      decidingChain = chain
      explore(chain: Int(chain), packet, environment, hook: hook)
    }
  }

  /// The answer that all ends together allow.
  private mutating func conclusion() -> HookAnswer {
    if ends.areAllAccepting { return HookAnswer(verdict: .accept, decidedBy: nil, reason: nil) }
    if ends.areAllDropping {
      let decidedBy = decidingRule >= 0 ? program.locations[Int(decidingRule)] : nil
      // Several rules may reject in the same way.
      let rejections = Set(ends.rejections.map { program.rejections[Int($0)] })
      if !ends.drops, rejections.count == 1, let only = rejections.first {
        return HookAnswer(verdict: .reject(only), decidedBy: decidedBy, reason: nil)
      }
      return HookAnswer(verdict: .drop, decidedBy: decidedBy, reason: nil)
    }
    if unknownReason < 0 { (unknownReason, unknownRule) = (earlierReason, earlierRule) }
    return HookAnswer(
      verdict: .unknown, decidedBy: unknownRule >= 0 ? program.locations[Int(unknownRule)] : nil,
      reason: unknownReason >= 0 ? program.reasons[Int(unknownReason)] : "not known")
  }

  private func decided(_ verdict: PacketVerdict) -> HookAnswer {
    let decidedBy: RuleLocation? =
      if decidingRule >= 0 {
        program.locations[Int(decidingRule)]
      } else if decidingChain >= 0 {
        chainLocation(Int(decidingChain))
      } else {
        nil
      }
    return HookAnswer(verdict: verdict, decidedBy: decidedBy, reason: nil)
  }

  private func chainLocation(_ chain: Int) -> RuleLocation {
    RuleLocation(
      table: program.chains[chain].table, chain: program.chains[chain].chain, rule: nil)
  }

  mutating func decide(_ rule: Int32, _ step: TraceEntry.Step, _ hook: Hook) {
    decidingRule = rule
    guard isTracing, !isExploring, rule >= 0 else { return }
    trace.append(TraceEntry(hook: hook, location: program.locations[Int(rule)], step: step))
  }

  mutating func record(_ rule: Int32, _ step: TraceEntry.Step, _ hook: Hook, _ target: Int32) {
    guard isTracing, !isExploring, rule >= 0 else { return }
    let location = program.locations[Int(rule)]
    var step = step
    if target >= 0, let chain = program.chainStarts[target] {
      switch step {
      case .jump: step = .jump(chain: chain)
      case .goto: step = .goto(chain: chain)
      case .accept, .drop, .reject, .return, .policyAccept, .policyDrop, .translate: break
      }
    }
    trace.append(TraceEntry(hook: hook, location: location, step: step))
  }
}
