package import Addresses

/// What the link header of a frame says beside what it carries.
package struct LinkHeader: Hashable, Sendable {
  /// Whom a frame was for, as the machine that captured it saw it.
  ///
  /// Source: `sll_pkttype` of packet(7).
  package enum Receiver: Hashable, Sendable {
    /// The machine itself, or another where the machine sent it.
    case one
    case everybody
    /// A group of receivers.
    case group
    /// Another machine: this one saw it in passing and discards it.
    case another
  }

  /// nil where the header does not say.
  package var source: MACAddress?
  /// nil where the header does not say.
  package var destination: MACAddress?
  /// nil where the header does not say.
  package var receiver: Receiver?
  /// Whether it has a VLAN tag with a number other than 0: the packet then belongs to another
  /// interface than the one it was captured at.
  package var isTagged: Bool

  package init(
    source: MACAddress? = nil, destination: MACAddress? = nil, receiver: Receiver? = nil,
    isTagged: Bool = false
  ) {
    self.source = source
    self.destination = destination
    self.receiver = receiver
    self.isTagged = isTagged
  }
}

extension LinkType {
  /// The link header of a frame whose IP header begins at `start`.
  func header(in frame: Span<UInt8>, before start: Int) -> LinkHeader {
    switch self {
    case .ethernet:
      LinkHeader(
        source: frame.hardwareAddress(at: 6), destination: frame.hardwareAddress(at: 0),
        isTagged: hasTag(in: frame, from: 14, before: start))
    case .linuxCooked:
      // The type of the packet, of the device and the length of its address, in two octets each.
      LinkHeader(
        source: frame.uint16(at: 4) == 6 ? frame.hardwareAddress(at: 6) : nil,
        receiver: receiver(UInt8(truncatingIfNeeded: frame.uint16(at: 0))),
        isTagged: hasTag(in: frame, from: 16, before: start))
    case .linuxCooked2:
      LinkHeader(
        source: frame[11] == 6 ? frame.hardwareAddress(at: 12) : nil, receiver: receiver(frame[10]),
        isTagged: hasTag(in: frame, from: 20, before: start))
    case .rawIP, .rawIPv4, .rawIPv6, .loopback, .openBSDLoopback: LinkHeader()
    }
  }

  private func receiver(_ packetType: UInt8) -> LinkHeader.Receiver? {
    switch packetType {
    case 0, 4: .one
    case 1: .everybody
    case 2: .group
    case 3: .another
    default: nil
    }
  }

  /// Tags are four octets each, and begin with their number.
  private func hasTag(in frame: Span<UInt8>, from first: Int, before start: Int) -> Bool {
    stride(from: first, to: start, by: 4).contains { frame.uint16(at: $0) & 0xFFF != 0 }
  }

  /// What a frame carries in which no IP header was found, in one phrase.
  ///
  /// - Parameters:
  ///   - frame: What the capture kept.
  ///   - isCut: Whether that is less than the whole frame.
  /// - Returns: nil where it may be an IP packet that was cut off before its first octet.
  func contents(of frame: Span<UInt8>, isCut: Bool) -> String? {
    let place: (field: Int, payload: Int)
    switch self {
    case .ethernet: place = (12, 14)
    case .linuxCooked: place = (14, 16)
    case .linuxCooked2: place = (0, 20)
    case .rawIP, .rawIPv4, .rawIPv6:
      guard let first = frame.isEmpty ? nil : frame[0] else { return isCut ? nil : "no bytes" }
      return "IP version \(first >> 4)"
    case .loopback, .openBSDLoopback:
      return frame.count > 4 ? "another address family" : isCut ? nil : "no bytes"
    }
    var (field, payload) = place
    while payload <= frame.count {
      let number = frame.uint16(at: field)
      switch number {
      case 0x8100, 0x88A8, 0x9100:
        field = payload + 2
        payload += 4
      case 0x0800, 0x86DD: return isCut ? nil : "no bytes"
      default: return carriedProtocol(number)
      }
    }
    return isCut ? nil : "a frame that is too short"
  }

  /// Source: https://www.iana.org/assignments/ieee-802-numbers; packet types below 0x0600 are
  /// lengths of IEEE 802.3, or Linux's own (linux/if_ether.h).
  private func carriedProtocol(_ number: UInt16) -> String {
    switch number {
    case 0x0806: "ARP"
    case 0x8035: "RARP"
    case 0x8847, 0x8848: "MPLS"
    case 0x8863: "PPPoE discovery"
    case 0x8864: "PPPoE session"
    case 0x888E: "EAPOL"
    case 0x88CC: "LLDP"
    case 0x88E5: "MACsec"
    case 0x8809: "a slow protocol, as LACP"
    case ..<0x0600: "IEEE 802.3"
    default: "EtherType 0x" + hexadecimal(number)
    }
  }

  private func hexadecimal(_ number: UInt16) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }
}

extension Span<UInt8> {
  /// Six octets; the caller has checked that they are there.
  fileprivate func hardwareAddress(at offset: Int) -> MACAddress {
    MACAddress(
      rawValue: (0..<6).reduce(UInt64(0)) { $0 << 8 | UInt64(self[offset + $1]) })
  }
}
