package import Addresses

/// An ARP packet for IPv4 over Ethernet.
///
/// Source: RFC 826.
package struct ARPPacket: Hashable, Sendable {
  package static let byteCount = 28

  /// 1 asks, 2 answers.
  package var operation: UInt16
  package var senderHardware: MACAddress
  package var sender: IPv4Address
  package var targetHardware: MACAddress
  package var target: IPv4Address

  package init(
    operation: UInt16, senderHardware: MACAddress, sender: IPv4Address,
    targetHardware: MACAddress, target: IPv4Address
  ) {
    self.operation = operation
    self.senderHardware = senderHardware
    self.sender = sender
    self.targetHardware = targetHardware
    self.target = target
  }

  /// Reads a packet that starts at `offset` and moves `offset` past it.
  ///
  /// - Throws: ``WireError`` if bytes are missing or the addresses are not Ethernet's and IPv4's.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(Self.byteCount, at: offset, for: "ARP packet")
    guard bytes[offset + 4] == 6, bytes[offset + 5] == 4 else {
      throw .badLength(
        header: "ARP packet", offset: offset, length: Int(bytes[offset + 4] &+ bytes[offset + 5]))
    }
    operation = bytes.uint16(at: offset + 6)
    senderHardware = MACAddress(rawValue: bytes.uint48(at: offset + 8))
    sender = IPv4Address(rawValue: bytes.uint32(at: offset + 14))
    targetHardware = MACAddress(rawValue: bytes.uint48(at: offset + 18))
    target = IPv4Address(rawValue: bytes.uint32(at: offset + 24))
    offset += Self.byteCount
  }

  /// Appends the packet.
  package func write(into bytes: inout [UInt8]) {
    bytes += [0, 1, 8, 0, 6, 4]
    bytes.append(operation)
    for (hardware, address) in [(senderHardware, sender), (targetHardware, target)] {
      bytes.append(UInt16(truncatingIfNeeded: hardware.rawValue >> 32))
      bytes.append(UInt32(truncatingIfNeeded: hardware.rawValue))
      bytes.append(address.rawValue)
    }
  }
}

extension ARPPacket: CustomStringConvertible {
  package var description: String {
    switch operation {
    case 1: "ARP who has \(target), tell \(sender) at \(senderHardware)"
    case 2: "ARP \(sender) is at \(senderHardware)"
    default: "ARP operation \(operation) from \(sender)"
    }
  }
}
