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
      return DescribedDimension(
        name: meaning.name, kind: meaning.kind, set: set, isConstrained: set != meaning.domain)
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
  let flags: UInt8
  let inputName: InterfaceName?
  let outputName: InterfaceName?

  /// Picks a packet of the leaf, as it was when it arrived at the first firewall.
  init(_ leaf: Leaf, in family: IPFamily) {
    func set(_ dimension: Dimension) -> IntervalSet {
      leaf.state.arrived(dimension) ?? IntervalSet(0)
    }
    self.family = family
    let destinations = set(.destinationAddress)
    let destination = destinations.preferredAddress(in: family, avoiding: nil)
    var sources = set(.sourceAddress)
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
    flags = UInt8(truncatingIfNeeded: set(.tcpFlags).lowest ?? 0)
    inputName = set(.inputName).preferredInterface
    outputName = set(.outputName).preferredInterface
  }
}

extension IntervalSet {
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
    [6, 17, 132, 1, 58].first(where: contains) ?? lowest ?? 0
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
