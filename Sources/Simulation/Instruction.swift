import Addresses
import Rulesets

/// One step of a compiled ruleset.
///
/// Every payload is plain bits, so that the interpreter copies instructions without counting
/// references, and none has more than 16 bytes: long lists are bound by memory. Wide constants
/// stand in a table of the program. Registers hold one value of at most 128 bits each.
enum Instruction: Sendable {
  /// Begins a rule; BREAK goes to `next`.
  case rule(index: Int32, next: Int32)
  /// Begins a rule that may not be in force.
  case possibleRule(index: Int32, next: Int32, reason: Int32)
  case endOfChain
  /// BREAKs unless the guard, an index into the program's guards, holds.
  case require(guard: Int32)
  case requireFamily(isIPv4: Bool)
  case requireTransport(UInt8)
  case load(FieldLoad, into: UInt8)
  /// Loads whole octets and compares them: by far the most frequent pair of steps.
  case matchOctets(OctetField, Comparison, UInt64)
  case matchOctetRange(OctetField, isNegated: Bool, lower: UInt32, upper: UInt32)
  case constant(Int32, into: UInt8)
  /// Masks with one constant and flips with the next.
  case masked(UInt8, constants: Int32)
  case shifted(UInt8, left: Bool, by: UInt8, bitWidth: UInt8)
  case copy(UInt8, into: UInt8)
  case compare(UInt8, Comparison, constant: Int32)
  case compareRegisters(UInt8, Comparison, UInt8)
  /// Holds a register against a constant and the next one.
  case inRange(UInt8, isNegated: Bool, constants: Int32)
  /// BREAKs unless the registers from `first` on are (or are not) a key of the set.
  case lookup(set: Int32, first: UInt8, isNegated: Bool)
  /// Puts what the map holds into the registers from `into` on; a miss BREAKs.
  case mapped(set: Int32, first: UInt8, into: UInt8)
  case verdictMap(set: Int32, first: UInt8)
  /// BREAKs on a miss; a hit goes on, through a gate if the objects are gates.
  case objectMap(set: Int32, first: UInt8)
  case accept
  case drop
  case reject(Int32)
  case `return`
  case jump(Int32)
  case goto(Int32)
  /// Passes or BREAKs, and nobody knows which.
  case gate(reason: Int32)
  case setMark(UInt8)
  case setConnectionMark(UInt8)
  case setPacketType(UInt8)
  /// Writes a register into bits of the packet.
  case alterPayload(PayloadChange, UInt8)
  /// Writes TCP options.
  case alterOptions(reason: Int32)
  /// Writes metadata that no load answers anyway.
  case alterOther
  case notrack
  /// Sets something of the connection that no load answers.
  case alterConnection
  case translate(TranslationPlan)
  /// BREAKs unless the gate, an index into the program's, passes.
  case admit(gate: Int32)
  /// Changes a set as the program's list says.
  case changeSet(Int32)
  /// Anything may happen.
  case unmodelled(reason: Int32)

  enum Comparison: UInt8, Sendable {
    case equal, notEqual, less, greater, lessOrEqual, greaterOrEqual, anyBit, noBit

    init(_ comparison: Match.Operator) {
      self =
        switch comparison {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .greater: .greater
        case .lessOrEqual: .lessOrEqual
        case .greaterOrEqual: .greaterOrEqual
        case .anyBit: .anyBit
        case .noBit: .noBit
        }
    }

    @inline(__always)
    func holds<Number: FixedWidthInteger>(_ left: Number, _ right: Number) -> Bool {
      switch self {
      case .equal: left == right
      case .notEqual: left != right
      case .less: left < right
      case .greater: left > right
      case .lessOrEqual: left <= right
      case .greaterOrEqual: left >= right
      case .anyBit: left & right != 0
      case .noBit: left & right == 0
      }
    }
  }
}

/// One, two, four or eight whole octets of the network or the transport header.
struct OctetField: Sendable {
  var isTransport: Bool
  var count: UInt8
  var offset: UInt16
}

/// A field of the packet that is written.
struct PayloadChange: Sendable {
  var base: PayloadField.Base
  /// Whether nft has the kernel bring the header's checksum up to date.
  var isSummed: Bool
  var bitLength: UInt8
  var bitOffset: Int32
}

/// A field to load, in plain bits.
enum FieldLoad: Sendable {
  case payload(base: PayloadField.Base, bitOffset: Int32, bitLength: Int32)
  case meta(MetaKey)
  case connection(ConnectionKey.Key, direction: ConnectionKey.Direction?)
  case extensionPresence(kind: UInt8)
  case extensionBits(kind: UInt8, bitOffset: Int32, bitLength: Int32)
  case optionPresence(OptionalHeader.Holder, kind: UInt8)
  case optionBits(OptionalHeader.Holder, kind: UInt8, bitOffset: Int32, bitLength: Int32)
  case addressType(AddressTypeQuery)
  case route(RouteQuery)
  /// The next number of a counter, an index into the program's.
  case counter(Int32)
  /// There is a value, and it is not known.
  case unpredictable(reason: Int32)
  case unanswered(reason: Int32)
}

/// The device that a `fib` expression binds its answer to.
enum RouteBinding: UInt8, Sendable { case none, input, output }

/// A `fib` expression that asks what kind of address one is.
struct AddressTypeQuery: Sendable {
  var ofSource: Bool
  var binding: RouteBinding
}

/// A `fib` expression that asks for the device behind an address.
struct RouteQuery: Sendable {
  enum Result: UInt8, Sendable { case index, name, presence }
  var ofSource: Bool
  var binding: RouteBinding
  var result: Result
}

/// What a load finds.
enum Loaded {
  case value(UInt128)
  case missing
  /// There is a value, and it is not known.
  case unknown(Int32)
  /// There is a value, and the bits of the mask are not known.
  case partial(UInt128, unknown: UInt128, Int32)
  /// Value or BREAK, and it is not known.
  case unknownOrMissing(Int32)
}

/// What a verdict map's element leads to, with chains resolved.
enum CompiledVerdict: Hashable, Sendable {
  case accept
  case drop
  case `continue`
  case `return`
  case jump(Int32)
  case goto(Int32)
  case unmodelled(reason: Int32)
}
