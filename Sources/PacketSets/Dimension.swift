/// One axis of the space of packets: a field, or a variable that stands for state.
///
/// The core dimensions have fixed numbers, because every firewall asks for them; others are handed
/// out by a ``DimensionRegister`` as a proof meets them.
package struct Dimension: RawRepresentable, Hashable, Sendable, Comparable {
  package let rawValue: Int

  @inlinable
  package init(rawValue: Int) { self.rawValue = rawValue }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  package static let sourceAddress = Dimension(rawValue: 0)
  package static let destinationAddress = Dimension(rawValue: 1)
  package static let transportProtocol = Dimension(rawValue: 2)
  /// The first 16 bits of the transport header: the source port, or ICMP type and code.
  package static let transportWord0 = Dimension(rawValue: 3)
  /// The next 16 bits: the destination port, or the ICMP checksum.
  package static let transportWord1 = Dimension(rawValue: 4)
  package static let inputName = Dimension(rawValue: 5)
  package static let outputName = Dimension(rawValue: 6)
  package static let connectionState = Dimension(rawValue: 7)
  package static let mark = Dimension(rawValue: 8)
  package static let tcpFlags = Dimension(rawValue: 9)

  package static let coreCount = 10
}
