package import Rulesets

/// What one rule, or the end of a chain, did with a packet, as the kernel traced it.
///
/// Rules that do not match leave no step.
package struct TraceStep: Hashable, Sendable {
  package enum Decision: Hashable, Sendable {
    /// A rule, or a chain's policy, lets the packet out of the base chain.
    case accept
    case drop
    /// The rule matched and decided nothing.
    case `continue`
    case `return`
    case jump(String)
    case goto(String)
    /// It went to a program; the number of the queue.
    case queue(UInt16)
    /// Something else keeps it; the kernel's number.
    case other(Int32)
  }

  package enum Cause: Hashable, Sendable {
    /// A rule with this handle in the sandbox.
    case rule(handle: UInt64)
    case policy
    case endOfChain
  }

  package var hook: Hook
  package var family: Family
  package var table: String
  package var chain: String
  package var cause: Cause
  package var decision: Decision
  /// Where it is in the model that the ruleset was loaded with.
  ///
  /// Nil where none was given, or where the kernel's chain is not the model's.
  package var location: RuleLocation?

  package init(
    hook: Hook, family: Family, table: String, chain: String, cause: Cause, decision: Decision,
    location: RuleLocation? = nil
  ) {
    self.hook = hook
    self.family = family
    self.table = table
    self.chain = chain
    self.cause = cause
    self.decision = decision
    self.location = location
  }
}

/// What the kernel did with a packet, and the rules by which it did.
package struct SandboxAnswer: Hashable, Sendable {
  package var verdicts: HookVerdicts
  /// In the order in which they ran.
  package var trace: [TraceStep]

  package init(verdicts: HookVerdicts, trace: [TraceStep]) {
    self.verdicts = verdicts
    self.trace = trace
  }
}

extension OctetWriter {
  mutating func write(_ step: TraceStep) {
    write(UInt8(Hook.allCases.firstIndex(of: step.hook) ?? 0))
    write(step.family.kernelNumber)
    write(step.table)
    write(step.chain)
    switch step.cause {
    case .rule(let handle):
      write(UInt8(0))
      write(UInt32(truncatingIfNeeded: handle >> 32))
      write(UInt32(truncatingIfNeeded: handle))
    case .policy: write(UInt8(1))
    case .endOfChain: write(UInt8(2))
    }
    let (number, value): (UInt8, UInt32) =
      switch step.decision {
      case .accept: (0, 0)
      case .drop: (1, 0)
      case .continue: (2, 0)
      case .return: (3, 0)
      case .jump: (4, 0)
      case .goto: (5, 0)
      case .queue(let queue): (6, UInt32(queue))
      case .other(let code): (7, UInt32(bitPattern: code))
      }
    write(number)
    write(value)
    switch step.decision {
    case .jump(let chain), .goto(let chain): write(chain)
    case .accept, .drop, .continue, .return, .queue, .other: break
    }
  }
}

extension OctetReader {
  /// Reads what ``OctetWriter/write(_:)-(TraceStep)`` wrote.
  mutating func traceStep() -> TraceStep? {
    let number = Int(octet())
    guard Hook.allCases.indices.contains(number), let family = Family(kernelNumber: octet())
    else { return nil }
    let table = text()
    let chain = text()
    let cause: TraceStep.Cause
    switch octet() {
    case 0: cause = .rule(handle: UInt64(self.number()) << 32 | UInt64(self.number()))
    case 1: cause = .policy
    default: cause = .endOfChain
    }
    let kind = octet()
    let value = self.number()
    let decision: TraceStep.Decision
    switch kind {
    case 0: decision = .accept
    case 1: decision = .drop
    case 2: decision = .continue
    case 3: decision = .return
    case 4: decision = .jump(text())
    case 5: decision = .goto(text())
    case 6: decision = .queue(UInt16(truncatingIfNeeded: value))
    default: decision = .other(Int32(bitPattern: value))
    }
    return TraceStep(
      hook: Hook.allCases[number], family: family, table: table, chain: chain, cause: cause,
      decision: decision)
  }
}

extension Family {
  /// Source: include/uapi/linux/netfilter.h, `NFPROTO_…`.
  var kernelNumber: UInt8 {
    switch self {
    case .inet: 1
    case .ip: 2
    case .arp: 3
    case .netdev: 5
    case .bridge: 7
    case .ip6: 10
    }
  }

  init?(kernelNumber: UInt8) {
    guard let family = Self.allCases.first(where: { $0.kernelNumber == kernelNumber }) else {
      return nil
    }
    self = family
  }
}
