package import Addresses
internal import LinuxKernel

/// An entry of the connection table: a flow that was there before the packets.
///
/// It counts only where the ruleset has the kernel track connections of its family.
package struct SandboxConnection: Hashable, Sendable {
  /// The protocol of a flow and what tells it from others of its protocol.
  package enum Transport: Hashable, Sendable {
    /// TCP, established; UDP, SCTP and others with ports likewise.
    case ports(protocol: UInt8, source: UInt16, destination: UInt16)
    /// A question and answer of ICMP or ICMPv6: the type and code of the question.
    case echo(type: UInt8, code: UInt8, identifier: UInt16)
    case other(protocol: UInt8)
  }

  /// One direction of a flow.
  package struct Tuple: Hashable, Sendable {
    package var source: IPAddress
    package var destination: IPAddress
    package var transport: Transport

    package init(from source: IPAddress, to destination: IPAddress, _ transport: Transport) {
      self.source = source
      self.destination = destination
      self.transport = transport
    }
  }

  /// As the opener's packets come in, before any translation.
  package var original: Tuple
  /// Where the opener's packets go after translation, and from what source; nil for as they come.
  package var translated: Tuple?
  /// Whether an answer was seen: only then is the opener's next packet `established`.
  package var isAnswered: Bool
  package var mark: UInt32
  /// In seconds.
  package var timeout: UInt32

  package init(
    original: Tuple, translated: Tuple? = nil, isAnswered: Bool = true, mark: UInt32 = 0,
    timeout: UInt32 = 600
  ) {
    self.original = original
    self.translated = translated
    self.isAnswered = isAnswered
    self.mark = mark
    self.timeout = timeout
  }
}

extension OctetWriter {
  mutating func write(_ connection: SandboxConnection) {
    write(connection.original)
    write(UInt8(connection.translated == nil ? 0 : 1))
    if let translated = connection.translated { write(translated) }
    write(UInt8(connection.isAnswered ? 1 : 0))
    write(connection.mark)
    write(connection.timeout)
  }

  private mutating func write(_ tuple: SandboxConnection.Tuple) {
    write(tuple.source, length: 0)
    write(tuple.destination, length: 0)
    let numbers: (UInt8, UInt8, UInt32, UInt32) =
      switch tuple.transport {
      case .ports(let number, let source, let destination):
        (0, number, UInt32(source), UInt32(destination))
      case .echo(let type, let code, let identifier):
        (1, type, UInt32(code), UInt32(identifier))
      case .other(let number): (2, number, 0, 0)
      }
    write(numbers.0)
    write(numbers.1)
    write(numbers.2)
    write(numbers.3)
  }
}

extension OctetReader {
  /// Reads what ``OctetWriter/write(_:)-(SandboxConnection)`` wrote.
  mutating func connection() -> SandboxConnection {
    let original = tuple()
    let translated = octet() == 0 ? nil : tuple()
    return SandboxConnection(
      original: original, translated: translated, isAnswered: octet() != 0, mark: number(),
      timeout: number())
  }

  private mutating func tuple() -> SandboxConnection.Tuple {
    let source = address().0
    let destination = address().0
    let (kind, first, second, third) = (octet(), octet(), number(), number())
    let transport: SandboxConnection.Transport =
      switch kind {
      case 0:
        .ports(
          protocol: first, source: UInt16(truncatingIfNeeded: second),
          destination: UInt16(truncatingIfNeeded: third))
      case 1:
        .echo(
          type: first, code: UInt8(truncatingIfNeeded: second),
          identifier: UInt16(truncatingIfNeeded: third))
      default: .other(protocol: first)
      }
    return SandboxConnection.Tuple(from: source, to: destination, transport)
  }
}

/// The request that makes an entry of the connection table.
///
/// Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h;
/// net/netfilter/nf_conntrack_netlink.c, `ctnetlink_create_conntrack`.
enum ConnectionRequest {
  static func message(_ connection: SandboxConnection) -> NetlinkMessage {
    // NFNL_SUBSYS_CTNETLINK is 1, IPCTNL_MSG_CT_NEW 0; NLM_F_CREATE | NLM_F_EXCL.
    var message = NetlinkMessage(type: 1 << 8, flags: 0x600)
    let family = connection.original.source.family
    message.append(family.netfilterNumber)
    message.append(UInt8(0))
    message.append(UInt16(0))
    let original = connection.original
    message.attribute(1) { append(original, to: &$0) }  // CTA_TUPLE_ORIG
    message.attribute(2) { append(reversed(original), to: &$0) }  // CTA_TUPLE_REPLY
    // CTA_STATUS: IPS_CONFIRMED, and IPS_SEEN_REPLY | IPS_ASSURED.
    message.attribute(3, (8 | (connection.isAnswered ? 6 : 0)).bigEndian)
    message.attribute(7, connection.timeout.bigEndian)  // CTA_TIMEOUT
    message.attribute(8, connection.mark.bigEndian)  // CTA_MARK
    if case .ports(6, _, _) = original.transport {
      message.attribute(4) { information in  // CTA_PROTOINFO
        information.attribute(1) { tcp in  // CTA_PROTOINFO_TCP
          // TCP_CONNTRACK_ESTABLISHED, or TCP_CONNTRACK_SYN_SENT before an answer.
          tcp.attribute(1, [connection.isAnswered ? 3 : 1])
          // IP_CT_TCP_FLAG_BE_LIBERAL: any sequence number is within the window.
          tcp.attribute(4, [8, 8])
          tcp.attribute(5, [8, 8])
        }
      }
    }
    if let translated = connection.translated {
      // The kernel derives the answers' tuple from these by itself.
      message.attribute(6) { append(source(of: translated), family, to: &$0) }  // CTA_NAT_SRC
      message.attribute(13) { append(destination(of: translated), family, to: &$0) }  // CTA_NAT_DST
    }
    return message
  }

  private typealias End = (address: IPAddress, port: UInt16?)

  private static func source(of tuple: SandboxConnection.Tuple) -> End {
    switch tuple.transport {
    case .ports(_, let source, _): (tuple.source, source)
    case .echo(_, _, let identifier): (tuple.source, identifier)
    case .other: (tuple.source, nil)
    }
  }

  private static func destination(of tuple: SandboxConnection.Tuple) -> End {
    switch tuple.transport {
    case .ports(_, _, let destination): (tuple.destination, destination)
    case .echo, .other: (tuple.destination, nil)
    }
  }

  private static func reversed(_ tuple: SandboxConnection.Tuple) -> SandboxConnection.Tuple {
    let transport: SandboxConnection.Transport =
      switch tuple.transport {
      case .ports(let number, let source, let destination):
        .ports(protocol: number, source: destination, destination: source)
      case .echo(let type, let code, let identifier):
        .echo(
          type: answer(to: type, tuple.source.family), code: code, identifier: identifier)
      case .other: tuple.transport
      }
    return SandboxConnection.Tuple(from: tuple.destination, to: tuple.source, transport)
  }

  /// Source: net/netfilter/nf_conntrack_proto_icmp.c and …_icmpv6.c, `invmap`.
  private static func answer(to type: UInt8, _ family: IPFamily) -> UInt8 {
    switch (family, type) {
    case (.ipv4, 8): 0
    case (.ipv4, 13), (.ipv4, 15), (.ipv4, 17): type + 1
    case (.ipv6, 128): 129
    case (.ipv6, 139): 140
    default: type
    }
  }

  private static func append(
    _ tuple: SandboxConnection.Tuple, to message: inout NetlinkMessage
  ) {
    let isIPv6 = tuple.source.family == .ipv6
    message.attribute(1) { addresses in  // CTA_TUPLE_IP
      addresses.attribute(isIPv6 ? 3 : 1, octets(of: tuple.source))
      addresses.attribute(isIPv6 ? 4 : 2, octets(of: tuple.destination))
    }
    message.attribute(2) { protocols in  // CTA_TUPLE_PROTO
      switch tuple.transport {
      case .ports(let number, let source, let destination):
        protocols.attribute(1, [number])
        protocols.attribute(2) { $0.append(source.bigEndian) }
        protocols.attribute(3) { $0.append(destination.bigEndian) }
      case .echo(let type, let code, let identifier):
        protocols.attribute(1, [isIPv6 ? 58 : 1])
        // CTA_PROTO_ICMP_ID, …_TYPE, …_CODE are 4, 5, 6; those of ICMPv6 are 7, 8, 9.
        protocols.attribute(isIPv6 ? 7 : 4) { $0.append(identifier.bigEndian) }
        protocols.attribute(isIPv6 ? 8 : 5, [type])
        protocols.attribute(isIPv6 ? 9 : 6, [code])
      case .other(let number): protocols.attribute(1, [number])
      }
    }
  }

  /// Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h, `ctattr_nat`.
  private static func append(
    _ end: End, _ family: IPFamily, to message: inout NetlinkMessage
  ) {
    // CTA_NAT_V4_MINIP and _MAXIP are 1 and 2, those of IPv6 4 and 5.
    message.attribute(family == .ipv6 ? 4 : 1, octets(of: end.address))
    message.attribute(family == .ipv6 ? 5 : 2, octets(of: end.address))
    guard let port = end.port else { return }
    message.attribute(3) { range in  // CTA_NAT_PROTO
      range.attribute(1) { $0.append(port.bigEndian) }  // CTA_PROTONAT_PORT_MIN
      range.attribute(2) { $0.append(port.bigEndian) }  // CTA_PROTONAT_PORT_MAX
    }
  }
}
