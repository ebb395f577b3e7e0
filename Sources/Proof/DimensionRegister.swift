package import Addresses
package import PacketSets

/// Hands out dimensions beyond the core and knows what each one means.
///
/// Fields keep their dimension for the life of the register; variables that stand for one
/// evaluation of something unknown are fresh and forgotten after each question.
package struct DimensionRegister: Sendable {
  /// What a value of the dimension stands for.
  package enum Kind: Hashable, Sendable {
    /// A property that a packet, its frame or its interface really has.
    case packet
    /// State that counts as either way: a limit, a quota.
    case gate
    /// State that counts as one way, 1, though it may be the other.
    case assumption
    /// A choice made anew for every packet, any way: `numgen`.
    case choice
    /// A value that translation keeps of what the packet carried, or will carry.
    case kept
    /// Something the model does not cover; an answer that rests on it is not known.
    case unknown
  }

  package struct Entry: Sendable {
    package var name: String
    package var domain: IntervalSet
    package var kind: Kind
  }

  private var keys: [String: Dimension] = [:]
  private var fields: [Entry] = []
  private var variables: [Entry] = []

  private static let firstVariable = 1 << 20

  /// Whether the frame was sent to the host alone (0), to all (1), to some (2), or, which only a
  /// rule can say of packets that hooks see, to another (3).
  ///
  /// Source: include/uapi/linux/if_packet.h, `PACKET_HOST`, `PACKET_BROADCAST`, `PACKET_MULTICAST`,
  /// `PACKET_OTHERHOST`.
  let packetType: Dimension
  /// What a packet's type can be when it comes.
  static let arrivingPacketTypes = IntervalSet(Interval(0, 2))
  /// Which ends the entry's status calls translated: `IPS_SRC_NAT` and `IPS_DST_NAT`.
  let connectionStatus: Dimension
  /// The mark of the connection's entry.
  let connectionMark: Dimension

  package init() {
    let usual: [(name: String, domain: IntervalSet)] = [
      ("meta pkttype", IntervalSet(Interval(0, 3))),
      ("ct status", IntervalSet([0, 0x10, 0x20, 0x30].map { Interval($0) })),
      ("ct mark", IntervalSet(bitWidth: 32)),
    ]
    for (index, field) in usual.enumerated() {
      keys[field.name] = Dimension(rawValue: Dimension.coreCount + index)
      fields.append(Entry(name: field.name, domain: field.domain, kind: .packet))
    }
    packetType = Dimension(rawValue: Dimension.coreCount)
    connectionStatus = Dimension(rawValue: Dimension.coreCount + 1)
    connectionMark = Dimension(rawValue: Dimension.coreCount + 2)
  }

  /// The dimension of a field, by its name; the same name always gives the same dimension.
  ///
  /// A field that goes with others in ways a product of sets cannot say (the packet's length, the
  /// type of its interface) is `.unknown`: what rests on it is never called a counterexample.
  package mutating func field(
    _ name: String, domain: IntervalSet, kind: Kind = .packet
  ) -> Dimension {
    if let known = keys[name] { return known }
    let dimension = Dimension(rawValue: Dimension.coreCount + fields.count)
    fields.append(Entry(name: name, domain: domain, kind: kind))
    keys[name] = dimension
    return dimension
  }

  /// The dimension of a field that some rule asked about before.
  package func knownField(_ name: String) -> Dimension? { keys[name] }

  /// A fresh variable with the values 0 ..< `valueCount`.
  package mutating func variable(_ name: String, valueCount: Int, kind: Kind) -> Dimension {
    variables.append(
      Entry(name: name, domain: IntervalSet(Interval(0, UInt128(valueCount - 1))), kind: kind))
    return Dimension(rawValue: Self.firstVariable + variables.count - 1)
  }

  /// A fresh variable for something that is not known.
  mutating func variable(_ name: String, domain: IntervalSet) -> Dimension {
    variables.append(Entry(name: name, domain: domain, kind: .unknown))
    return Dimension(rawValue: Self.firstVariable + variables.count - 1)
  }

  /// Whether a dimension is a choice that is made anew each time it is read.
  func isChoice(_ dimension: Dimension) -> Bool {
    dimension.rawValue >= Dimension.coreCount && TupleMember(dimension) == nil
      && self[dimension].kind == .choice
  }

  /// Whether a dimension is a variable, not a field.
  func isVariable(_ dimension: Dimension) -> Bool { dimension.rawValue >= Self.firstVariable }

  /// Forgets the variables of the last question.
  package mutating func forgetVariables() { variables.removeAll(keepingCapacity: true) }

  /// What a dimension beyond the core means.
  package subscript(dimension: Dimension) -> Entry {
    if dimension.rawValue >= Self.firstVariable {
      return variables[dimension.rawValue - Self.firstVariable]
    }
    return fields[dimension.rawValue - Dimension.coreCount]
  }

  /// Every value of a dimension, core or not, for packets of `family`.
  package func domain(of dimension: Dimension, in family: IPFamily) -> IntervalSet {
    switch dimension {
    case .sourceAddress, .destinationAddress: IntervalSet(bitWidth: family.bitWidth)
    case .transportProtocol, .tcpFlags: IntervalSet(bitWidth: 8)
    case .transportWord0, .transportWord1: IntervalSet(bitWidth: 16)
    case .inputName, .outputName: IntervalSet(bitWidth: 128)
    case .mark: IntervalSet(bitWidth: 32)
    case .connectionState: ConnectionBits.every
    default:
      if let member = TupleMember(dimension) {
        IntervalSet(bitWidth: member.part.isPort ? 16 : family.bitWidth)
      } else {
        self[dimension].domain
      }
    }
  }
}
