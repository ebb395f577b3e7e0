package import Addresses

/// One statement of a rule.
///
/// A rule ends (BREAK) at the first statement that does not match or cannot be evaluated; what
/// earlier statements did stays done. Source: net/netfilter/nf_tables_core.c, `nft_do_chain`.
package indirect enum Statement: Hashable, Sendable {
  case match(Match)
  case verdict(Verdict)
  /// Looks `key` up; a hit gives the element's verdict (`continue` goes on in the rule), a miss BREAKs.
  case verdictMap(key: Expression, map: SetReference)
  /// Refuses the packet with an answer; `requiring` holds guards that the listing does not show.
  case reject(Rejection, requiring: [Guard])
  /// Passes or BREAKs depending on state that a packet does not carry.
  case gate(Gate)
  /// Passes or BREAKs by the named object that a map holds for `key`, or that `name` says.
  case object(StatefulObject.Kind, ObjectReference)
  /// Writes a packet or metadata field; a value that BREAKs ends the rule.
  case mangle(Selector, value: Expression)
  /// Takes the packet out of connection tracking from here on.
  case notrack
  /// Changes addresses or ports of a new flow and ends the base chain with accept.
  case translate(Translation)
  case setUpdate(SetUpdate)
  /// A statement that neither matches nor decides: counter, log, comment, `last`.
  case inert(String)
  /// Hands a copy elsewhere and goes on.
  case duplicate(String)
  /// Takes the packet away or hands it to something whose answer is not in the ruleset: `fwd`,
  /// `tproxy`, `synproxy`, `flow add`, `queue`. What becomes of it is not known.
  case diverts(Unmodelled)
  case unmodelled(Unmodelled)
}

/// What becomes of a packet at a statement or at the end of a rule.
package enum Verdict: Hashable, Sendable {
  /// Ends this base chain; later base chains and hooks still run.
  case accept
  /// Final.
  case drop
  /// Goes on with the next statement.
  case `continue`
  /// Ends this chain: goes on after the jump, or with the policy in a base chain.
  case `return`
  /// Runs a chain, an index into the table's list, and comes back.
  case jump(chain: Int)
  /// Runs a chain and does not come back here.
  case goto(chain: Int)
}

/// A comparison.
package struct Match: Hashable, Sendable {
  /// How the left side is held against the right.
  ///
  /// All comparisons are unsigned and numeric.
  package enum Operator: String, Hashable, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case greater = ">"
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    /// `(left & right) != 0`: nft's implicit operator on bit masks, op `in` in JSON.
    case anyBit = "in"
    /// `(left & right) == 0`: op `!` in JSON.
    case noBit = "!"
  }

  package enum Operand: Hashable, Sendable {
    case value(UInt128)
    /// Inclusive; with `notEqual` the whole test is negated. Prefixes and interface wildcards are
    /// ranges too.
    case range(Interval)
    /// One value per component of a concatenation on the left.
    case values([UInt128])
    case set(SetReference)
    /// Both sides are read from the packet.
    case expression(Expression)
  }

  package var left: Expression
  package var `operator`: Operator
  package var right: Operand

  package init(_ left: Expression, _ operator: Operator, _ right: Operand) {
    self.left = left
    self.operator = `operator`
    self.right = right
  }
}

/// The answer that `reject` sends.
package enum Rejection: Hashable, Sendable {
  case tcpReset
  /// An ICMP destination-unreachable code (RFC 792; RFC 1812 §5.2.7.1).
  case icmp(code: UInt8)
  /// An ICMPv6 destination-unreachable code (RFC 4443 §3.1).
  case icmpv6(code: UInt8)
  /// nft's family-independent code: 0 no-route, 1 port-unreachable, 2 host-unreachable,
  /// 3 admin-prohibited (include/uapi/linux/netfilter/nf_tables.h, `nft_reject_inet_code`).
  case icmpx(code: UInt8)
}

/// State that a packet does not carry.
package enum Gate: Hashable, Sendable {
  /// Passes while the rate is kept; with `over` passes when it is exceeded.
  case limit(text: String, rate: Rate, over: Bool)
  /// Passes until `byteCount` bytes went through; with `over` passes after that.
  case quota(text: String, byteCount: UInt64, used: UInt64, over: Bool)
  /// Passes while a source has at most `count` connections; with `over` passes above that.
  case connectionCount(text: String, count: UInt32, over: Bool)
  /// Passes while the element was not seen for a time, and gates like it: `last`, unknown kinds.
  case other(Unmodelled)

  package struct Rate: Hashable, Sendable {
    /// Packets or bytes per period.
    package var amount: UInt64
    package var isBytes: Bool
    /// The period, in seconds.
    package var seconds: UInt64
    package var burst: UInt64

    package init(amount: UInt64, isBytes: Bool, seconds: UInt64, burst: UInt64) {
      self.amount = amount
      self.isBytes = isBytes
      self.seconds = seconds
      self.burst = burst
    }
  }

  /// The gate as nft writes it: `limit rate 5/second`.
  package var text: String {
    switch self {
    case .limit(let text, _, _), .quota(let text, _, _, _), .connectionCount(let text, _, _): text
    case .other(let unmodelled): unmodelled.text
    }
  }

  /// Whether the gate passes in the state that counts as usual: nothing is exceeded.
  package var passesWhenNotExceeded: Bool? {
    switch self {
    case .limit(_, _, let over), .quota(_, _, _, let over), .connectionCount(_, _, let over): !over
    case .other: nil
    }
  }
}

/// A stateful object named in a rule, or found through a map.
package enum ObjectReference: Hashable, Sendable {
  case named(String)
  case mapped(key: Expression, map: SetReference)
}

/// Network address translation.
package struct Translation: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    case destination = "dnat"
    case source = "snat"
    case masquerade
    case redirect
  }

  package var kind: Kind
  /// Guards that the statement implies: the family of its address.
  package var requiring: [Guard]
  package var address: Expression?
  package var addressUpper: Expression?
  package var port: Expression?
  package var portUpper: Expression?
  package var flags: [String]

  package init(
    kind: Kind, requiring: [Guard] = [], address: Expression? = nil,
    addressUpper: Expression? = nil, port: Expression? = nil, portUpper: Expression? = nil,
    flags: [String] = []
  ) {
    self.kind = kind
    self.requiring = requiring
    self.address = address
    self.addressUpper = addressUpper
    self.port = port
    self.portUpper = portUpper
    self.flags = flags
  }
}

extension Translation {
  /// What is read for its addresses and ports.
  package var values: [Expression] {
    [address, addressUpper, port, portUpper].compactMap { $0 }
  }
}

/// `add @set { … }`, `update …`, `delete …`: a change to a set from the packet path.
package struct SetUpdate: Hashable, Sendable {
  package enum Operation: String, Hashable, Sendable {
    case add
    case update
    case delete
  }

  package var operation: Operation
  package var set: SetReference
  package var key: Expression
  /// What a map gets for the key.
  package var data: Expression?
  /// Gates of the element: with a limit inside, the statement passes or BREAKs per key.
  package var gates: [Gate]
  /// How long the element stays, in seconds, where the statement says so.
  package var timeout: UInt64?

  package init(
    operation: Operation, set: SetReference, key: Expression, data: Expression? = nil,
    gates: [Gate] = [], timeout: UInt64? = nil
  ) {
    self.operation = operation
    self.set = set
    self.key = key
    self.data = data
    self.gates = gates
    self.timeout = timeout
  }
}
