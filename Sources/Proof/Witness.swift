package import Addresses
internal import PacketSets
internal import Rulesets

/// A dimension of a leaf with its meaning, so that it can be told after the register moved on.
package struct DescribedDimension: Sendable, Hashable {
  package var name: String
  package var kind: DimensionRegister.Kind
  package var set: IntervalSet
  /// Whether the set leaves something out.
  package var isConstrained: Bool
}

extension DimensionRegister {
  /// What the dimensions beyond the core are in a leaf, as they were when the packet arrived.
  func described(_ leaf: Leaf) -> [DescribedDimension] {
    leaf.state.cube.furtherEntries.map { entry in
      let meaning = self[entry.dimension]
      let set = leaf.state.arrived(entry.dimension) ?? entry.set
      let isConstrained =
        entry.dimension == packetType
        ? !Self.arrivingPacketTypes.isSubset(of: set) : set != meaning.domain
      return DescribedDimension(
        name: meaning.name, kind: meaning.kind, set: set, isConstrained: isConstrained)
    }
  }
}

/// One packet out of a leaf: the one a reader would have picked.
struct Witness {
  let family: IPFamily
  let source: IPAddress
  let destination: IPAddress
  let transport: TransportProtocol
  let word0: UInt16
  let word1: UInt16
  /// Every value that the second word may have.
  let words1: IntervalSet
  let flags: UInt8
  let inputName: InterfaceName?
  let outputName: InterfaceName?

  /// Picks a packet of the leaf, as it was when it arrived at the first firewall.
  init(_ leaf: Leaf, in family: IPFamily) {
    func set(_ dimension: Dimension) -> IntervalSet {
      leaf.state.arrived(dimension) ?? IntervalSet(0)
    }
    self.family = family
    let destinations = set(.destinationAddress).usual(family)
    let destination = destinations.preferredAddress(in: family, avoiding: nil)
    var sources = set(.sourceAddress).usual(family)
    // A host is never asked about itself.
    let others = sources.subtracting(IntervalSet(destination))
    var pickedDestination = destination
    if others.isEmpty {
      pickedDestination =
        destinations.subtracting(IntervalSet(destination))
        .preferredAddress(in: family, avoiding: nil)
    } else {
      sources = others
    }
    self.destination = IPAddress(family, rawValue: pickedDestination)
    source = IPAddress(
      family, rawValue: sources.preferredAddress(in: family, avoiding: pickedDestination))
    transport = TransportProtocol(
      rawValue: UInt8(truncatingIfNeeded: set(.transportProtocol).preferredProtocol))
    word0 = UInt16(
      truncatingIfNeeded: transport.hasPorts
        ? set(.transportWord0).preferredSourcePort : set(.transportWord0).lowest ?? 0)
    word1 = UInt16(
      truncatingIfNeeded: set(.transportWord1).intersection(IntervalSet(Interval(1, .max))).lowest
        ?? set(.transportWord1).lowest ?? 0)
    words1 = set(.transportWord1)
    flags = UInt8(truncatingIfNeeded: set(.tcpFlags).lowest ?? 0)
    inputName = set(.inputName).preferredInterface
    // A router's packet that leaves where it came in is none that a reader thinks of.
    let elsewhere = set(.outputName).subtracting(IntervalSet(inputName?.rawValue ?? 0))
    outputName = (elsewhere.isEmpty ? set(.outputName) : elsewhere).preferredInterface
  }
}

extension Witness {
  private init(like other: Witness, isReversed: Bool, word0: UInt16, flags: UInt8) {
    family = other.family
    source = isReversed ? other.destination : other.source
    destination = isReversed ? other.source : other.destination
    transport = other.transport
    self.word0 = word0
    word1 = isReversed && other.transport.hasPorts ? other.word0 : other.word1
    words1 = other.words1
    self.flags = flags
    inputName = other.outputName
    outputName = other.inputName
  }

  /// The packet that opened a connection whose later packet this is.
  var opening: Witness { Witness(like: self, isReversed: false, word0: word0, flags: 0x02) }

  /// The packet that this one answers.
  var reversed: Witness {
    let asked: UInt16
    switch (transport, word0 >> 8) {
    // Echo replies to echo requests.
    case (.icmp, 0): asked = 8 << 8
    case (.icmpv6, 129): asked = 128 << 8
    default: asked = transport.hasPorts ? word1 : word0
    }
    return Witness(like: self, isReversed: true, word0: asked, flags: 0x02)
  }
}

extension IntervalSet {
  /// The addresses that a host may have, or all where none of them is one.
  ///
  /// Source: RFC 6890; RFC 4291 §2.5 for IPv6.
  fileprivate func usual(_ family: IPFamily) -> IntervalSet {
    let left = intersection(HostAddresses.unicast(family))
    return left.isEmpty ? self : left
  }

  /// An address that looks like one of a host: of the documentation ranges where the set is wide,
  /// else the lowest.
  fileprivate func preferredAddress(in family: IPFamily, avoiding: UInt128?) -> UInt128 {
    let preferred: [UInt128] =
      switch family {
      // 203.0.113.10, 198.51.100.10, 192.0.2.10 (RFC 5737), 10.0.0.10; 2001:db8::10 (RFC 3849).
      case .ipv4: [0xCB00_710A, 0xC633_640A, 0xC000_020A, 0x0A00_000A]
      case .ipv6: [0x2001_0DB8 << 96 | 0x10, 0xFD00 << 112 | 0x10]
      }
    // A narrow set is one that somebody wrote down: its lowest address is the plainest witness.
    let isWide = (highest ?? 0) - (lowest ?? 0) > (family == .ipv4 ? 1 << 25 : 1 << 90)
    if isWide, let pick = preferred.first(where: { contains($0) && $0 != avoiding }) {
      return pick
    }
    let left = avoiding.map { subtracting(IntervalSet($0)) } ?? self
    let usual = left.intersection(
      IntervalSet(Interval(family == .ipv4 ? 0x0100_0001 : 2, family.highestAddress)))
    return usual.lowest ?? left.lowest ?? lowest ?? 0
  }

  fileprivate var preferredProtocol: UInt128 {
    // 253 is for experiments (RFC 3692): nothing on a host takes it for its own.
    [6, 17, 132, 1, 58, 253].first(where: contains) ?? lowest ?? 0
  }

  /// An unprivileged port where there is one (RFC 6335 §6).
  fileprivate var preferredSourcePort: UInt128 {
    let usual = intersection(IntervalSet(Interval(1_024, 65_535)))
    return usual.lowest ?? lowest ?? 0
  }

  /// A name that an interface may have; nil for none.
  fileprivate var preferredInterface: InterfaceName? {
    for name in ["eth0", "eth1", "ens3", "enp1s0", "bond0", "wlan0", "br0", "tun0", "x0"] {
      if let candidate = InterfaceName(name), contains(candidate.rawValue) { return candidate }
    }
    guard let lowest, lowest != 0 else { return nil }
    return InterfaceName(rawValue: lowest)
  }
}
