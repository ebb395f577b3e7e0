internal import Addresses
internal import PacketSets
internal import Rulesets

/// What the scenario tells of the host that packets stand on: which addresses are its own.
struct Surroundings: Sendable {
  /// The addresses of each host that the file names.
  let hosts: [AddressSet]
  /// Which end of the packet that opens the connection is the host's own; nil for a router.
  let anchor: Binding.End?
  /// Addresses of hosts that the file names and that are certainly other machines.
  let foreign: AddressSet

  /// What an address is to the host.
  enum Relation: Hashable {
    /// The loopback's.
    case loopback
    /// One of the host's own.
    case own
    /// Another host's that the file names.
    case named
    /// Nobody's that the file names: it may yet be one of the host's own.
    case unnamed
  }

  /// Divides packets by what an address of theirs is to the host.
  ///
  /// Two addresses are one host's where the file says so; an address that it gives to no host stands
  /// for a host of its own.
  ///
  /// - Parameters:
  ///   - cube: The packets.
  ///   - dimension: Where the address stands.
  ///   - here: Where an address stands that is the host's own for certain; nil for a router.
  ///   - family: The packets' family.
  /// - Returns: disjoint parts, each with what its addresses are.
  func divided(
    _ cube: Cube, by dimension: Dimension, here: Dimension?, _ family: IPFamily
  ) -> [(cube: Cube, relation: Relation)] {
    let whole = IntervalSet(bitWidth: family.bitWidth)
    func within(_ dimension: Dimension, _ set: IntervalSet) -> Constraint {
      Constraint(dimension, set, domain: whole)
    }
    var divided: [(Cube, Relation)] = []
    let loopback = IntervalSet(
      family == .ipv4 ? Interval(0x7F00_0000, 0x7FFF_FFFF) : Interval(1))
    let (looping, others) = cube.split(by: [within(dimension, loopback)])
    if let looping { divided.append((looping, .loopback)) }
    if dimension == here { return divided + others.map { ($0, .own) } }
    var left = others
    for host in hosts {
      let addresses = host[family]
      if addresses.isEmpty { continue }
      var rest: [Cube] = []
      for cube in left {
        let (inside, outside) = cube.split(by: [within(dimension, addresses)])
        rest += outside
        guard let inside else { continue }
        guard let here else {
          // A router may be any of the hosts that are not known to be others.
          let isForeign = addresses.isSubset(of: foreign[family])
          divided.append((inside, isForeign ? .named : .unnamed))
          continue
        }
        let (own, foreign) = inside.split(by: [within(here, addresses)])
        if let own { divided.append((own, .own)) }
        divided += foreign.map { ($0, .named) }
      }
      left = rest
    }
    guard let here else { return divided + left.map { ($0, .unnamed) } }
    for cube in left {
      let common = (cube[dimension] ?? whole).intersection(cube[here] ?? whole)
      guard let values = common.filtered({ _ in true }, budget: 64) else {
        divided.append((cube, .unnamed))
        continue
      }
      var outside = [cube]
      for value in values.intervals.flatMap({ $0.lower...$0.upper }) {
        var next: [Cube] = []
        for cube in outside {
          let (own, foreign) = cube.split(by: [
            within(dimension, IntervalSet(value)), within(here, IntervalSet(value)),
          ])
          if let own { divided.append((own, .own)) }
          next += foreign
        }
        outside = next
      }
      divided += outside.map { ($0, .unnamed) }
    }
    return divided
  }

  /// Where an address stands that is the host's own; nil for a router.
  func ownDimension(_ state: PacketState, isReply: Bool, at station: Int) -> Dimension? {
    anchor.map { end in
      (state.bindings[station] ?? Binding()).dimension(
        of: Binding.Part(end: end, isPort: false), isTranslated: false, isReply: isReply)
    }
  }
}

/// That `fib … type` reads one of some types (`RTN_…`, include/uapi/linux/rtnetlink.h).
struct AddressTypeTest {
  /// Which address of the packet is looked up.
  let dimension: Dimension
  /// The types that are asked for.
  let accepted: IntervalSet
  /// The match as nft writes it.
  let text: String

  static let types = IntervalSet(Interval(0, 11))

  /// What the types of addresses can be: local 2, broadcast 3, anycast 4, multicast 5; 1 and 6 to 8
  /// are addresses of others, reachable or not.
  private static let local = IntervalSet(2)
  private static let others = IntervalSet([Interval(1), Interval(6, 8)])
  private static let unnamed = IntervalSet([Interval(1, 4), Interval(6, 8)])

  /// Divides packets by whether the test holds; nil where that is not known.
  func divided(
    _ cube: Cube, in surroundings: Surroundings?, here: Dimension?, _ family: IPFamily
  ) -> [(cube: Cube, holds: Bool?)] {
    guard let surroundings else { return [(cube, nil)] }
    var divided: [(Cube, Bool?)] = []
    var left = [cube]
    for (set, types) in Self.fixed(family) {
      var rest: [Cube] = []
      for cube in left {
        let (inside, outside) = cube.split(by: [
          Constraint(dimension, set, domain: IntervalSet(bitWidth: family.bitWidth))
        ])
        if let inside { divided.append((inside, holds(for: types))) }
        rest += outside
      }
      left = rest
    }
    for cube in left {
      for (cube, relation) in surroundings.divided(cube, by: dimension, here: here, family) {
        let types =
          switch relation {
          case .loopback, .own: Self.local
          case .named: Self.others
          case .unnamed: Self.unnamed
          }
        divided.append((cube, holds(for: types)))
      }
    }
    return divided
  }

  private func holds(for types: IntervalSet) -> Bool? {
    if types.isSubset(of: accepted) { return true }
    return types.overlaps(accepted) ? nil : false
  }

  /// Addresses whose type is the same on every host, and those whose type depends on more than the
  /// host's addresses.
  private static func fixed(_ family: IPFamily) -> [(set: IntervalSet, types: IntervalSet)] {
    switch family {
    case .ipv4:
      [
        (IntervalSet([Interval(0), Interval(0xFFFF_FFFF), Interval(0x7FFF_FFFF)]), IntervalSet(3)),
        (IntervalSet(Interval(0xE000_0000, 0xEFFF_FFFF)), IntervalSet(5)),
      ]
    case .ipv6:
      [
        (IntervalSet(Interval(0xFF << 120, .max)), IntervalSet(5)),
        (
          IntervalSet([
            Interval(0, mask(96)),
            Interval(0xFE80 << 112, 0xFEBF << 112 | mask(112)),
          ]), types
        ),
      ]
    }
  }
}
