package import Addresses
package import Wire

/// A packet and what the kernel knows beside its bytes.
package struct Packet: Hashable, Sendable {
  /// The device that a packet came in on or goes out by.
  package enum Device: Hashable, Sendable {
    /// There is none: a packet made here has no input, one delivered here no output.
    case absent
    /// `index` is nil where only the name is known.
    case named(InterfaceName, index: UInt32?)
    /// There may be one, and which is not known.
    case unknown

    /// The device of a name; only that of the loopback has a number that is always the same.
    package init(_ name: InterfaceName) {
      self = .named(name, index: name == Host.loopback ? 1 : nil)
    }
  }

  /// What the connection table says of a packet.
  package enum State: String, Hashable, Sendable, CaseIterable {
    case invalid, established, related, new, untracked

    /// The bit that `ct state` reads.
    ///
    /// Source: include/uapi/linux/netfilter/nf_conntrack_common.h.
    package var bit: UInt8 {
      switch self {
      case .invalid: 1
      case .established: 2
      case .related: 4
      case .new: 8
      case .untracked: 64
      }
    }
  }

  /// The frame around a packet that came in.
  package struct Frame: Hashable, Sendable {
    /// Nil where it is not known.
    package var source: MACAddress?
    /// Nil where the frame was addressed to the device.
    package var destination: MACAddress?
    package var vlan: UInt16?

    package init(
      source: MACAddress? = nil, destination: MACAddress? = nil, vlan: UInt16? = nil
    ) {
      self.source = source
      self.destination = destination
      self.vlan = vlan
    }
  }

  /// The bytes from the IP header on.
  package let bytes: [UInt8]
  package let layout: PacketLayout
  package var input: Device
  package var output: Device
  /// Nil for a packet that this host sends.
  package var frame: Frame?
  /// What the connection table is told to say, whatever it holds.
  package var state: State?
  package var mark: UInt32

  /// Makes a packet from bytes that a receiver would take.
  ///
  /// - Throws: `PacketLayout.Malformation` if it would discard them.
  package init(
    bytes: [UInt8], input: Device = .absent, output: Device = .absent, frame: Frame? = nil,
    state: State? = nil, mark: UInt32 = 0
  ) throws(PacketLayout.Malformation) {
    self.bytes = bytes
    layout = try PacketLayout(reading: bytes)
    self.input = input
    self.output = output
    self.frame = frame
    self.state = state
    self.mark = mark
  }

  /// A packet with other bytes, which lie as the layout says.
  init(_ content: PacketContent, like other: borrowing Packet) {
    bytes = content.bytes
    layout = content.layout
    input = other.input
    output = other.output
    frame = other.frame
    state = other.state
    mark = other.mark
  }

  package var source: IPAddress { IPAddress(layout.family, rawValue: layout.source(in: bytes)) }

  package var destination: IPAddress {
    IPAddress(layout.family, rawValue: layout.destination(in: bytes))
  }
}
