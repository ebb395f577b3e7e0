import Addresses
import TestSupport

/// The shapes of long rule lists, after those that firewalls of this size really have.
enum RuleListShape: String, CaseIterable {
  /// Accept-only: each rule lets one source network reach one port of one destination.
  case destinations
  /// A perimeter: 1,100 nested networks, 60 services, a quarter of the rules deny.
  case pool
  /// Groups times groups: half the rules leave the source open, half the destination.
  case cross
  /// Random overlapping networks and port ranges, a third of them open on one side.
  case overlaps
}

/// One first-match rule over five fields.
struct ListedRule {
  var source: IPPrefix?
  var destination: IPPrefix?
  var transport: TransportProtocol
  var ports: ClosedRange<UInt16>
  var isAccept: Bool
}

/// One question, whether every packet from here to there is accepted.
struct ListedQuestion {
  var source: IPPrefix
  var destination: IPPrefix
  var transport: TransportProtocol
  var ports: ClosedRange<UInt16>
}

/// A list and questions about it, all from one seed.
struct RuleList {
  let family: IPFamily
  private(set) var rules: [ListedRule] = []
  private(set) var questions: [ListedQuestion] = []

  init(_ shape: RuleListShape, count: Int, family: IPFamily, questions questionCount: Int) {
    self.family = family
    var random = SeededGenerator(seed: UInt64(count) &* 31 &+ (family == .ipv4 ? 4 : 6))
    let pool = Self.nestedNetworks(1_100, family, using: &random)
    let services = (0..<60).map { _ in
      (
        Bool.random(using: &random) || Bool.random(using: &random)
          ? TransportProtocol.tcp : .udp, UInt16.random(in: 1...10_000, using: &random)
      )
    }
    rules.reserveCapacity(count)
    for index in 0..<count {
      switch shape {
      case .destinations:
        let port = [UInt16(6_443), 10_250, 50_000, 50_001, 2_379][index % 5]
        rules.append(
          ListedRule(
            source: Self.network(index % 97, bits: 24, family),
            destination: Self.network(1_000 + index / 5, bits: family.bitWidth, family),
            transport: .tcp, ports: port...port, isAccept: true))
      case .pool:
        let (transport, port) = services[Int.random(in: 0..<60, using: &random)]
        rules.append(
          ListedRule(
            source: pool[Int.random(in: 0..<pool.count, using: &random)],
            destination: pool[Int.random(in: 0..<pool.count, using: &random)],
            transport: transport, ports: port...port,
            isAccept: Int.random(in: 0..<4, using: &random) > 0))
      case .cross:
        let (transport, port) = services[Int.random(in: 0..<60, using: &random)]
        let network = Self.randomNetwork(16...28, family, using: &random)
        let isFromAny = Bool.random(using: &random)
        rules.append(
          ListedRule(
            source: isFromAny ? nil : network, destination: isFromAny ? network : nil,
            transport: transport, ports: port...port,
            isAccept: Int.random(in: 0..<4, using: &random) > 0))
      case .overlaps:
        let open = Int.random(in: 0..<10, using: &random)
        let first = UInt16.random(in: 0...60_000, using: &random)
        rules.append(
          ListedRule(
            source: open < 2 ? nil : Self.randomNetwork(8...24, family, using: &random),
            destination: open == 2 ? nil : Self.randomNetwork(8...24, family, using: &random),
            transport: Bool.random(using: &random) ? .tcp : .udp,
            ports: first...first + UInt16.random(in: 0...5_000, using: &random),
            isAccept: Bool.random(using: &random)))
      }
    }
    // Some of the questions lie inside a rule, the others near one or a port beside it.
    for index in 0..<questionCount {
      let rule = rules[Int.random(in: 0..<count, using: &random)]
      let source = Self.part(of: rule.source, deeper: index % 2, family, using: &random)
      let destination = Self.part(
        of: rule.destination, deeper: index % 4 / 2, family, using: &random)
      let port = index % 3 == 0 ? rule.ports.lowerBound ^ 1 : rule.ports.lowerBound
      questions.append(
        ListedQuestion(
          source: source, destination: destination, transport: rule.transport,
          ports: port...port))
    }
  }

  /// The `number`-th network of a length, counted from 10.0.0.0 or fd00::.
  private static func network(_ number: Int, bits: Int, _ family: IPFamily) -> IPPrefix {
    let base: UInt128 = family == .ipv4 ? 0x0A00_0000 : 0xFD00 << 112
    let length = family == .ipv4 ? bits : bits == 128 ? 128 : bits + 32
    let step = UInt128(number) << UInt128(family.bitWidth - length)
    return IPPrefix(containing: IPAddress(family, rawValue: base + step), length: length)
  }

  private static func randomNetwork(
    _ lengths: ClosedRange<Int>, _ family: IPFamily, using random: inout SeededGenerator
  ) -> IPPrefix {
    let length = Int.random(in: lengths, using: &random) * (family == .ipv4 ? 1 : 2)
    let address = UInt128.random(in: 0...family.highestAddress, using: &random)
    return IPPrefix(containing: IPAddress(family, rawValue: address), length: length)
  }

  /// Networks of which many lie in each other.
  private static func nestedNetworks(
    _ count: Int, _ family: IPFamily, using random: inout SeededGenerator
  ) -> [IPPrefix] {
    var networks = (0..<20).map { network($0, bits: family == .ipv4 ? 14 : 16, family) }
    while networks.count < count {
      let outer = networks[Int.random(in: 0..<networks.count, using: &random)]
      let longest = family == .ipv4 ? 30 : 64
      guard outer.length < longest else { continue }
      let length = Int.random(in: outer.length + 1...min(longest, outer.length + 8), using: &random)
      let interval = outer.interval
      let address = UInt128.random(in: interval.lower...interval.upper, using: &random)
      networks.append(IPPrefix(containing: IPAddress(family, rawValue: address), length: length))
    }
    return networks
  }

  private static func part(
    of network: IPPrefix?, deeper: Int, _ family: IPFamily, using random: inout SeededGenerator
  ) -> IPPrefix {
    let outer = network ?? IPPrefix(containing: IPAddress(family, rawValue: 0), length: 0)
    let length = min(family.bitWidth, max(outer.length, family.bitWidth / 4) + deeper * 4)
    let interval = outer.interval
    let address = UInt128.random(in: interval.lower...interval.upper, using: &random)
    return IPPrefix(containing: IPAddress(family, rawValue: address), length: length)
  }

  /// The list as `nft -j list ruleset` would print it: one forward chain, policy drop.
  var json: [UInt8] {
    var text = """
      {"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "x", "json_schema_version": 1}}, \
      {"table": {"family": "inet", "name": "long", "handle": 1}}, \
      {"chain": {"family": "inet", "table": "long", "name": "forward", "handle": 1, "type": "filter", \
      "hook": "forward", "prio": 0, "policy": "drop"}}, \
      {"rule": {"family": "inet", "table": "long", "chain": "forward", "handle": 2, "expr": [{"match": \
      {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}}
      """
    text.reserveCapacity(rules.count * 450)
    let version = family == .ipv4 ? "ip" : "ip6"
    for (index, rule) in rules.enumerated() {
      var matches = ""
      for (field, prefix) in [("saddr", rule.source), ("daddr", rule.destination)] {
        guard let prefix else { continue }
        let right =
          prefix.length == family.bitWidth
          ? "\"\(prefix.network)\""
          : "{\"prefix\": {\"addr\": \"\(prefix.network)\", \"len\": \(prefix.length)}}"
        matches +=
          "{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": \"\(version)\", \"field\": \"\(field)\"}}, \"right\": \(right)}}, "
      }
      let ports =
        rule.ports.count == 1
        ? "\(rule.ports.lowerBound)"
        : "{\"range\": [\(rule.ports.lowerBound), \(rule.ports.upperBound)]}"
      matches +=
        "{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": \"\(rule.transport)\", \"field\": \"dport\"}}, \"right\": \(ports)}}, "
      text +=
        ", {\"rule\": {\"family\": \"inet\", \"table\": \"long\", \"chain\": \"forward\", \"handle\": \(index + 3), \"expr\": [\(matches){\"counter\": {\"packets\": 0, \"bytes\": 0}}, {\"\(rule.isAccept ? "accept" : "drop")\": null}]}}"
    }
    text += "]}"
    return Array(text.utf8)
  }

  /// The list and the questions as plain numbers, one per line, for a referee.
  var exported: String {
    func line(
      _ kind: String, _ source: Interval, _ destination: Interval, _ transport: TransportProtocol,
      _ ports: ClosedRange<UInt16>, _ tail: String
    ) -> String {
      "\(kind) \(source.lower) \(source.upper) \(destination.lower) \(destination.upper) \(transport.rawValue) \(ports.lowerBound) \(ports.upperBound) \(tail)\n"
    }
    let all = Interval(0, family.highestAddress)
    var text = "width \(family.bitWidth)\n"
    for rule in rules {
      text += line(
        "rule", rule.source?.interval ?? all, rule.destination?.interval ?? all, rule.transport,
        rule.ports, rule.isAccept ? "1" : "0")
    }
    for question in questions {
      text += line(
        "ask", question.source.interval, question.destination.interval, question.transport,
        question.ports, "")
    }
    return text
  }
}
