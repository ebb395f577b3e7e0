package import Addresses

/// An Ethernet II header with the VLAN tags that follow its addresses.
///
/// Source: IEEE 802.3 §3.2, IEEE 802.1Q §9.
package struct EthernetHeader: Hashable, Sendable {
  /// A VLAN tag.
  package struct Tag: Hashable, Sendable {
    /// The tag protocol: 0x8100 or 0x88A8.
    package var tagProtocol: UInt16
    package var priority: UInt8
    package var isDropEligible: Bool
    package var vlan: UInt16

    package init(
      tagProtocol: UInt16 = EthernetHeader.vlanProtocol, priority: UInt8 = 0,
      isDropEligible: Bool = false, vlan: UInt16
    ) {
      self.tagProtocol = tagProtocol
      self.priority = priority
      self.isDropEligible = isDropEligible
      self.vlan = vlan
    }
  }

  package static let vlanProtocol: UInt16 = 0x8100
  package static let serviceVLANProtocol: UInt16 = 0x88A8
  package static let ipv4Protocol: UInt16 = 0x0800
  package static let arpProtocol: UInt16 = 0x0806
  package static let ipv6Protocol: UInt16 = 0x86DD

  package var destination: MACAddress
  package var source: MACAddress
  /// Outermost first.
  package var tags: [Tag]
  /// What the frame carries, as its EtherType.
  package var carriedProtocol: UInt16

  package init(
    destination: MACAddress, source: MACAddress, tags: [Tag] = [], carriedProtocol: UInt16
  ) {
    self.destination = destination
    self.source = source
    self.tags = tags
    self.carriedProtocol = carriedProtocol
  }

  /// Reads a header that starts at `offset` and moves `offset` past it.
  ///
  /// - Throws: ``WireError/truncated(header:offset:needed:available:)``.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(14, at: offset, for: "Ethernet header")
    destination = MACAddress(rawValue: bytes.uint48(at: offset))
    source = MACAddress(rawValue: bytes.uint48(at: offset + 6))
    var next = offset + 14
    var type = bytes.uint16(at: offset + 12)
    tags = []
    while type == Self.vlanProtocol || type == Self.serviceVLANProtocol {
      try bytes.require(4, at: next, for: "VLAN tag")
      let control = bytes.uint16(at: next)
      tags.append(
        Tag(
          tagProtocol: type, priority: UInt8(control >> 13), isDropEligible: control & 0x1000 != 0,
          vlan: control & 0xFFF))
      type = bytes.uint16(at: next + 2)
      next += 4
    }
    carriedProtocol = type
    offset = next
  }

  /// Appends the header.
  package func write(into bytes: inout [UInt8]) {
    for address in [destination, source] {
      bytes.append(UInt16(truncatingIfNeeded: address.rawValue >> 32))
      bytes.append(UInt32(truncatingIfNeeded: address.rawValue))
    }
    for tag in tags {
      bytes.append(tag.tagProtocol)
      bytes.append(
        UInt16(tag.priority & 7) << 13 | (tag.isDropEligible ? 0x1000 : 0) | tag.vlan & 0xFFF)
    }
    bytes.append(carriedProtocol)
  }
}

extension EthernetHeader: CustomStringConvertible {
  package var description: String {
    let vlans = tags.map { " vlan \($0.vlan)" }.joined()
    return "Ethernet \(source) > \(destination)\(vlans) type 0x\(hexadecimal(carriedProtocol))"
  }
}

func hexadecimal(_ number: UInt16) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 4 - digits.count) + digits
}
