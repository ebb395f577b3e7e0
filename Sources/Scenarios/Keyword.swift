/// A word that the language keeps for itself, whatever its case.
package enum Keyword: String, Hashable, Sendable, CaseIterable {
  case include, host, group, service, firewall, defaults, suite, only
  case iface, agent
  case on, between, and, with
  case expect, except, any
  case this = "self"
  case oneWay = "one-way"
  case tcp, udp, sctp, proto, icmp, icmpv6
  case kind = "type"
  case code
  case allow, deny, drop, reject
  case tcpReset = "tcp-reset"
  case portUnreachable = "port-unreachable"
  case hostUnreachable = "host-unreachable"
  case noRoute = "no-route"
  case adminProhibited = "admin-prohibited"
  case `in`, from, port, family, ipv4, ipv6, state, severity, tag, because, id, skip, xfail
  case timeout, retries, `static`, live

  /// Finds the keyword that `word` spells, in any mixture of cases.
  init?(spelling word: some Collection<UInt8>) {
    guard word.count <= 16 else { return nil }
    var packed: UInt128 = 0
    for byte in word {
      guard byte < 0x80 else { return nil }
      let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      packed = packed << 8 | UInt128(isUpper ? byte | 0x20 : byte)
    }
    guard let keyword = keywords[packed] else { return nil }
    self = keyword
  }

  /// Whether a statement can begin with this word, and nothing else can hold it.
  ///
  /// `group` is also the name of an option, but never inside brackets.
  var beginsStatement: Bool {
    switch self {
    case .include, .host, .group, .service, .firewall, .defaults, .suite, .only: true
    case .iface, .agent, .on, .between, .and, .with, .expect, .except, .any, .this, .oneWay, .tcp,
      .udp, .sctp, .proto, .icmp, .icmpv6, .kind, .code, .allow, .deny, .drop, .reject, .tcpReset,
      .portUnreachable, .hostUnreachable, .noRoute, .adminProhibited, .in, .from, .port, .family,
      .ipv4, .ipv6, .state, .severity, .tag, .because, .id, .skip, .xfail, .timeout, .retries,
      .static, .live:
      false
    }
  }

  static let statements = allCases.filter(\.beginsStatement)

  static let clauses: [Keyword] = [
    .in, .from, .family, .state, .severity, .tag, .because, .id, .skip, .xfail, .timeout,
    .retries, .static, .live,
  ]

  static let protocols: [Keyword] = [.tcp, .udp, .sctp, .proto]

  static let verdicts: [Keyword] = [.allow, .deny, .drop, .reject]

  static let rejectReasons: [Keyword] = [
    .tcpReset, .portUnreachable, .hostUnreachable, .noRoute, .adminProhibited,
  ]
}

// Keyed by the bytes of the word as one number: no keyword is longer than 16 bytes.
private let keywords: [UInt128: Keyword] = Dictionary(
  uniqueKeysWithValues: Keyword.allCases.map { keyword in
    (keyword.rawValue.utf8.reduce(0) { $0 << 8 | UInt128($1) }, keyword)
  })
