internal import Addresses
internal import PacketSets
internal import Rulesets
internal import Scenarios

/// One of the packets that a connection consists of.
package enum Phase: Hashable, Sendable, CaseIterable {
  /// The packet that opens it.
  case first
  /// What comes back.
  case answer
  /// What the opener sends once the answer is there.
  case further
}

/// What one packet of a connection looks like before it meets the first firewall.
struct PhasePackets {
  /// The transport protocols, with the words of their headers.
  struct Transport {
    var protocols: IntervalSet
    var word0: IntervalSet
    var word1: IntervalSet
    /// TCP flags; only read where the protocol is TCP.
    var flags: IntervalSet
    /// What the connection table says.
    var state: IntervalSet
    /// The service's name, for answers.
    var name: String
    /// Whether an answer is expected to come back.
    var hasAnswer: Bool

    /// What the connection table says where it holds nothing of the connection.
    var untrackedState: IntervalSet {
      isInvalidUntracked
        ? IntervalSet(ConnectionBits.invalid) : IntervalSet(ConnectionBits.new)
    }

    /// Whether tracking takes the packets for the start of no connection, as it does an answer of
    /// TCP, SCTP, DCCP or ICMP.
    var isInvalidUntracked = false
  }

  /// The protocols whose answers tracking takes for the start of no connection
  /// (`tcp_new`, `sctp_new`, `dccp_new`, `valid_new` in net/netfilter/nf_conntrack_proto_*.c).
  private static let asymmetric = IntervalSet(
    [TransportProtocol.tcp, .sctp, .dccp, .icmp, .icmpv6].map { Interval(UInt128($0.rawValue)) })

  /// The protocols whose packets have no ports to answer from.
  static let messages = IntervalSet(
    [TransportProtocol.icmp, .icmpv6].map { Interval(UInt128($0.rawValue)) })

  private static let ports = IntervalSet(bitWidth: 16)
  private static let everyWord = IntervalSet(bitWidth: 16)
  private static let syn = IntervalSet(0x02)
  private static let synAck = IntervalSet(0x12)
  private static let ack = IntervalSet(0x10)
  private static let established = IntervalSet(ConnectionBits.established)

  /// ICMPv6 types that connection tracking leaves untracked: multicast listener discovery and
  /// neighbour discovery (net/netfilter/nf_conntrack_proto_icmpv6.c, `noct_valid_new`).
  private static let untrackedICMPv6Types: [UInt8] = [130, 131, 132, 133, 134, 135, 136, 143]

  /// The types that may begin a connection; any other that belongs to none is invalid
  /// (net/netfilter/nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c, `valid_new`).
  private static func openingTypes(_ transportProtocol: TransportProtocol) -> [UInt8] {
    transportProtocol == .icmp ? [8, 13, 15, 17] : [128, 139]
  }

  /// The packets that open a connection to a service.
  ///
  /// - Parameters:
  ///   - service: What is connected to.
  ///   - flow: The line that asks.
  ///   - family: The address family.
  ///   - mustWork: Whether the connection is expected to work; then port 0, which nothing can
  ///     listen on or send from (RFC 6335 §6), is not asked about.
  /// - Returns: the kinds of packets, none where the family does not have the service.
  static func opening(_ service: Service, of flow: Flow, in family: IPFamily, mustWork: Bool)
    -> [Transport]
  {
    let state = IntervalSet(flow.state.bit)
    let usable = mustWork ? IntervalSet(Interval(1, 65_535)) : ports
    let sourcePorts = flow.sourcePorts ?? usable
    let hasAnswer = !service.isOneWay
    func transport(_ protocols: IntervalSet, _ word0: IntervalSet, _ word1: IntervalSet)
      -> Transport
    {
      Transport(
        protocols: protocols, word0: word0, word1: word1, flags: flow.state == .new ? syn : ack,
        state: state, name: service.name, hasAnswer: hasAnswer)
    }
    func number(_ transportProtocol: TransportProtocol) -> IntervalSet {
      IntervalSet(UInt128(transportProtocol.rawValue))
    }
    switch service.kind {
    case .ports(let transportProtocol, let destinationPorts):
      return [transport(number(transportProtocol), sourcePorts, destinationPorts)]
    case .transport(let transportProtocol)
    where transportProtocol == (family == .ipv4 ? .icmp : .icmpv6):
      return icmp(transportProtocol, everyWord, state: state, service)
    case .transport(.gre):
      return gre(like: transport(number(.gre), everyWord, everyWord))
    case .transport(let transportProtocol)
    where transportProtocol == .icmp || transportProtocol == .icmpv6:
      return [transport(number(transportProtocol), everyWord, everyWord).beginningNothing]
    case .transport(let transportProtocol):
      let hasPorts = transportProtocol.hasPorts
      return [
        transport(
          number(transportProtocol), hasPorts ? sourcePorts : everyWord,
          hasPorts ? usable : everyWord)
      ]
    case .icmp(let type, let code):
      guard family == .ipv4 else { return [] }
      return icmp(.icmp, words(type, code), state: state, service)
    case .icmpv6(let type, let code):
      guard family == .ipv6 else { return [] }
      return icmp(.icmpv6, words(type, code), state: state, service)
    case .any:
      let icmpKind: TransportProtocol = family == .ipv4 ? .icmp : .icmpv6
      let symmetric: [TransportProtocol] = [.udp, .udplite]
      let further: [TransportProtocol] = [.dccp, .sctp]
      let otherICMP: TransportProtocol = family == .ipv4 ? .icmpv6 : .icmp
      let apart = ([.tcp, icmpKind, otherICMP, .gre] + symmetric + further)
        .map { Interval(UInt128($0.rawValue)) }
      let others = IntervalSet(bitWidth: 8).subtracting(IntervalSet(apart))
      return [
        transport(number(.tcp), sourcePorts, usable),
        transport(
          IntervalSet(symmetric.map { Interval(UInt128($0.rawValue)) }), sourcePorts, usable),
        transport(
          IntervalSet(further.map { Interval(UInt128($0.rawValue)) }), sourcePorts, usable),
        transport(others, everyWord, everyWord),
        transport(number(otherICMP), everyWord, everyWord).beginningNothing,
      ] + gre(like: transport(number(.gre), everyWord, everyWord))
        + icmp(icmpKind, everyWord, state: state, service)
    }
  }

  /// GRE packets, by whether connection tracking follows them.
  ///
  /// Of version 1 (RFC 2637) only those that carry PPP are; others have no tuple and are invalid.
  /// Source: net/netfilter/nf_conntrack_proto_gre.c, `gre_pkt_to_tuple`.
  private static func gre(like all: Transport) -> [Transport] {
    guard all.state == IntervalSet(ConnectionBits.new),
      let versionOne = IntervalSet(1).preimage(underMask: 7, width: 16)
    else { return [all] }
    let pointToPoint = IntervalSet(0x880B)
    var otherVersion = all
    otherVersion.word0 = everyWord.subtracting(versionOne)
    var followed = all
    followed.word0 = versionOne
    followed.word1 = pointToPoint
    var strange = all.beginningNothing
    strange.word0 = versionOne
    strange.word1 = everyWord.subtracting(pointToPoint)
    return [otherVersion, followed, strange]
  }

  /// ICMP messages, by whether connection tracking follows them and an answer comes back.
  private static func icmp(
    _ transportProtocol: TransportProtocol, _ words: IntervalSet, state: IntervalSet,
    _ service: Service
  ) -> [Transport] {
    func types(_ numbers: [UInt8]) -> IntervalSet {
      IntervalSet(numbers.map { Interval(UInt128($0) << 8, UInt128($0) << 8 | 0xFF) })
    }
    let echo = types([transportProtocol == .icmp ? 8 : 128])
    let opening = types(openingTypes(transportProtocol))
    let untracked =
      transportProtocol == .icmpv6 ? types(untrackedICMPv6Types) : IntervalSet.empty
    let isNew = state == IntervalSet(ConnectionBits.new)
    let parts: [(words: IntervalSet, state: IntervalSet, answers: Bool)] = [
      (words.intersection(echo), state, true),
      (
        words.intersection(untracked),
        isNew ? IntervalSet(ConnectionBits.untracked) : state, false
      ),
      (words.intersection(opening).subtracting(echo), state, false),
      (
        words.subtracting(opening).subtracting(untracked),
        isNew ? IntervalSet(ConnectionBits.invalid) : state, false
      ),
    ]
    return parts.filter { !$0.words.isEmpty }.map { part in
      Transport(
        protocols: IntervalSet(UInt128(transportProtocol.rawValue)), word0: part.words,
        word1: everyWord, flags: syn, state: part.state, name: service.name,
        hasAnswer: part.answers && !service.isOneWay)
    }
  }

  /// The first 16 bits of an ICMP header.
  private static func words(_ type: UInt8?, _ code: UInt8?) -> IntervalSet {
    let types = type.map { UInt128($0)...UInt128($0) } ?? 0...255
    guard let code else {
      return IntervalSet(Interval(types.lowerBound << 8, types.upperBound << 8 | 0xFF))
    }
    return IntervalSet(types.map { Interval($0 << 8 | UInt128(code)) })
  }

  /// The packets that come back.
  static func answer(to opening: Transport) -> Transport {
    var answer = opening
    answer.state = established
    answer.flags = synAck
    answer.isInvalidUntracked = opening.protocols.isSubset(of: asymmetric)
    if opening.protocols == IntervalSet(UInt128(TransportProtocol.icmp.rawValue)) {
      answer.word0 = IntervalSet(
        opening.word0.intervals.map { Interval($0.lower & 0xFF, $0.upper & 0xFF) })
    } else if opening.protocols == IntervalSet(UInt128(TransportProtocol.icmpv6.rawValue)) {
      answer.word0 = IntervalSet(
        opening.word0.intervals.map {
          Interval($0.lower & 0xFF | 129 << 8, $0.upper & 0xFF | 129 << 8)
        })
    } else {
      answer.word0 = opening.word1
      answer.word1 = opening.word0
    }
    return answer
  }

  /// The packets that the opener of a TCP connection sends next; nil for other protocols.
  static func further(after opening: Transport) -> Transport? {
    guard opening.protocols == IntervalSet(UInt128(TransportProtocol.tcp.rawValue)) else {
      return nil
    }
    var further = opening
    further.state = established
    further.flags = ack
    return further
  }
}

extension Flow.ConnectionState {
  /// The state's bit, as `ct state` reads it.
  var bit: UInt128 {
    switch self {
    case .new: ConnectionBits.new
    case .established: ConnectionBits.established
    case .related: ConnectionBits.related
    case .invalid: ConnectionBits.invalid
    case .untracked: ConnectionBits.untracked
    }
  }
}

extension PhasePackets.Transport {
  /// The same for packets that connection tracking makes no entry for: they are invalid, not new,
  /// and nothing comes back.
  ///
  /// ICMP of the other family is of this kind (net/netfilter/nf_conntrack_proto_icmp.c,
  /// `nf_conntrack_icmp_packet`).
  fileprivate var beginningNothing: Self {
    var packets = self
    if state == IntervalSet(ConnectionBits.new) {
      packets.state = IntervalSet(ConnectionBits.invalid)
    }
    packets.hasAnswer = false
    return packets
  }
}
