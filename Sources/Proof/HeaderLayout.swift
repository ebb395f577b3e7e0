internal import Addresses
internal import PacketSets
internal import Rulesets

/// A run of header bits and what a proof knows about it.
struct HeaderSegment {
  enum Content {
    case constant(UInt128)
    case dimension(Dimension)
    /// A dimension of its own, with this name and these values.
    case field(String, IntervalSet)
    /// Likewise, but tied to other fields or to the payload in ways a product of sets cannot say:
    /// what rests on it is not known.
    case tied(String)
  }

  /// Counted in bits from the beginning of the header.
  let range: Range<Int>
  let content: Content
}

/// The headers of the packets that proofs are about: whole, unfragmented or first fragments.
enum HeaderLayout {
  /// Source: RFC 791 §3.1.
  static func ipv4(coversUnusualPackets unusual: Bool) -> [HeaderSegment] {
    [
      HeaderSegment(range: 0..<4, content: .constant(4)),
      HeaderSegment(
        range: 4..<8,
        content: unusual
          ? .field("ip hdrlength", IntervalSet(Interval(5, 15))) : .constant(5)),
      HeaderSegment(range: 8..<16, content: .field("ip tos", IntervalSet(bitWidth: 8))),
      HeaderSegment(range: 16..<32, content: .tied("ip length")),
      HeaderSegment(range: 32..<48, content: .field("ip id", IntervalSet(bitWidth: 16))),
      HeaderSegment(
        range: 48..<64,
        content: unusual
          ? .field("ip frag-off", fragmentWords) : .field("ip frag-off (whole)", wholeWords)),
      HeaderSegment(
        range: 64..<72, content: .field("ip ttl", IntervalSet(Interval(1, 255)))),
      HeaderSegment(range: 72..<80, content: .dimension(.transportProtocol)),
      HeaderSegment(range: 80..<96, content: .tied("ip checksum")),
      HeaderSegment(range: 96..<128, content: .dimension(.sourceAddress)),
      HeaderSegment(range: 128..<160, content: .dimension(.destinationAddress)),
    ]
  }

  /// Don't-fragment set or not.
  private static let wholeWords = IntervalSet([Interval(0), Interval(0x4000)])
  /// The same, and with more fragments to follow.
  private static let fragmentWords = IntervalSet([
    Interval(0), Interval(0x2000), Interval(0x4000), Interval(0x6000),
  ])

  /// Source: RFC 8200 §3.
  ///
  /// The next-header octet is read apart: it need not be the transport's.
  static let ipv6: [HeaderSegment] = [
    HeaderSegment(range: 0..<4, content: .constant(6)),
    HeaderSegment(range: 4..<12, content: .field("ip6 traffic-class", IntervalSet(bitWidth: 8))),
    HeaderSegment(range: 12..<32, content: .field("ip6 flowlabel", IntervalSet(bitWidth: 20))),
    HeaderSegment(range: 32..<48, content: .tied("ip6 length")),
    HeaderSegment(range: 56..<64, content: .field("ip6 hoplimit", IntervalSet(Interval(1, 255)))),
    HeaderSegment(range: 64..<192, content: .dimension(.sourceAddress)),
    HeaderSegment(range: 192..<320, content: .dimension(.destinationAddress)),
  ]

  /// The octet that `ip6 nexthdr` reads.
  static let nextHeader = 48..<56

  /// The first four octets that every transport header has here.
  private static let words: [HeaderSegment] = [
    HeaderSegment(range: 0..<16, content: .dimension(.transportWord0)),
    HeaderSegment(range: 16..<32, content: .dimension(.transportWord1)),
  ]

  /// The header of a transport protocol, as far as every packet of it holds it.
  ///
  /// Without a guard on the protocol only the first 32 bits are known to be there.
  static func transport(_ guarded: UInt8?) -> [HeaderSegment] {
    switch guarded {
    case TransportProtocol.tcp.rawValue:
      // RFC 9293 §3.1.
      words + [
        field(32..<64, "tcp sequence"), field(64..<96, "tcp ackseq"),
        HeaderSegment(range: 96..<100, content: .field("tcp doff", IntervalSet(Interval(5, 15)))),
        field(100..<104, "tcp reserved"),
        HeaderSegment(range: 104..<112, content: .dimension(.tcpFlags)),
        field(112..<128, "tcp window"), tied(128..<144, "tcp checksum"),
        field(144..<160, "tcp urgptr"),
      ]
    case TransportProtocol.udp.rawValue, TransportProtocol.udplite.rawValue:
      // RFC 768; RFC 3828 §3.1 puts the checksum coverage in the place of the length.
      words + [tied(32..<48, "udp length"), tied(48..<64, "udp checksum")]
    case TransportProtocol.sctp.rawValue:
      words + [field(32..<64, "sctp vtag"), tied(64..<96, "sctp checksum")]
    case TransportProtocol.icmp.rawValue, TransportProtocol.icmpv6.rawValue:
      words + [field(32..<48, "icmp id"), field(48..<64, "icmp sequence")]
    default:
      words
    }
  }

  private static func field(_ range: Range<Int>, _ name: String) -> HeaderSegment {
    HeaderSegment(range: range, content: .field(name, IntervalSet(bitWidth: range.count)))
  }

  private static func tied(_ range: Range<Int>, _ name: String) -> HeaderSegment {
    HeaderSegment(range: range, content: .tied(name))
  }
}
