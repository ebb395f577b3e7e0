import Addresses
import Documents
import Rulesets
import TalosFrontend

/// Writes chain specifications as `talosctl get nftableschains` prints them.
///
/// Source: pkg/machinery/resources/network/nftables_chain.go of Talos: the names of its fields, and
/// which are left out when they are empty.
struct ChainResources {
  /// A value of a resource; numbers and truth values are told apart from texts only in JSON.
  indirect enum Value {
    case text(String)
    case number(Int)
    case flag(Bool)
    case list([Value])
    case fields([(String, Value)])
  }

  static func yaml(_ chains: [ChainSpecification], node: String) -> [UInt8] {
    let documents = chains.map { chain in
      "node: \(node)\n" + lines(resource(chain), 0).joined(separator: "\n") + "\n"
    }
    return Array(documents.joined(separator: "---\n").utf8)
  }

  static func json(_ chains: [ChainSpecification], node: String) -> [UInt8] {
    chains.flatMap { chain in
      guard case .fields(let fields) = resource(chain) else { return [UInt8]() }
      var writer = JSONWriter(.indented)
      write(.fields(fields + [("node", .text(node))]), &writer)
      return writer.utf8 + [UInt8(ascii: "\n")]
    }
  }

  // MARK: - Layout

  private static func lines(_ value: Value, _ depth: Int) -> [String] {
    let margin = String(repeating: " ", count: depth)
    switch value {
    case .text(let text): return [margin + (text.hasPrefix("!") ? "'\(text)'" : text)]
    case .number(let number): return [margin + "\(number)"]
    case .flag(let flag): return [margin + "\(flag)"]
    case .list(let values):
      return values.flatMap { value in
        var lines = lines(value, depth + 2)
        lines[0] = margin + "- " + lines[0].drop { $0 == " " }
        return lines
      }
    case .fields(let fields):
      if fields.isEmpty { return [margin + "{}"] }
      return fields.flatMap { name, value in
        switch value {
        case .text, .number, .flag:
          return [margin + "\(name): " + lines(value, 0)[0]]
        case .list(let values) where values.isEmpty: return [margin + "\(name): []"]
        case .fields(let fields) where fields.isEmpty: return [margin + "\(name): {}"]
        case .list, .fields: return [margin + "\(name):"] + lines(value, depth + 4)
        }
      }
    }
  }

  /// Names are sorted in JSON.
  private static func write(_ value: Value, _ writer: inout JSONWriter) {
    switch value {
    case .text(let text): writer.value(text)
    case .number(let number): writer.value(number)
    case .flag(let flag): writer.value(flag)
    case .list(let values):
      writer.array { for value in values { write(value, &$0) } }
    case .fields(let fields):
      writer.object {
        for (name, value) in fields.sorted(by: { $0.0 < $1.0 }) {
          $0.key(name)
          write(value, &$0)
        }
      }
    }
  }

  // MARK: - Fields

  private static func resource(_ chain: ChainSpecification) -> Value {
    let names = [-400: "conntrack-defrag", 0: "filter", -300: "raw", 100: "nat-source"]
    let priority = names[chain.priority] ?? "NfTablesChainPriority(\(chain.priority))"
    return .fields([
      (
        "metadata",
        .fields([
          ("namespace", .text("network")), ("type", .text("NfTablesChains.net.talos.dev")),
          ("id", .text(chain.name)), ("version", .number(1)), ("phase", .text("running")),
          ("created", .text("2026-02-07T09:05:51Z")),
        ])
      ),
      (
        "spec",
        .fields([
          ("type", .text(chain.kind.rawValue)), ("hook", .text("\(chain.hook)")),
          ("priority", .text(priority)), ("policy", .text(chain.policy.rawValue)),
          ("rules", .list(chain.rules.map(rule))),
        ])
      ),
    ])
  }

  private static func rule(_ rule: ChainRuleSpecification) -> Value {
    var fields: [(String, Value)] = []
    for (name, match) in [("matchIIfName", rule.inputNames), ("matchOIfName", rule.outputNames)] {
      guard let match else { continue }
      let names = Value.list(match.names.map { .text($0) })
      fields.append(
        (name, .fields([("interfaceName", names), ("operator", .text(match.operator.rawValue))])))
    }
    if let mark = rule.mark {
      fields.append(("matchMark", marks(mask: mark.mask, xor: mark.xor, value: mark.value)))
    }
    if let states = rule.connectionStates {
      fields.append(
        ("matchConntrackState", .fields([("states", .list(states.map { .text($0.rawValue) }))])))
    }
    let addresses = [
      ("matchSourceAddress", rule.source), ("matchDestinationAddress", rule.destination),
    ]
    for (name, match) in addresses { if let match { fields.append((name, address(match))) } }
    if let match = rule.layer4 { fields.append(("matchLayer4", layer4(match))) }
    if let rate = rule.packetsPerSecond {
      fields.append(("matchLimit", .fields([("packetRatePerSecond", .number(Int(rate)))])))
    }
    if let mtu = rule.clampedMTU {
      fields.append(("clampMSS", .fields([("mtu", .number(Int(mtu)))])))
    }
    if let mark = rule.markChange {
      fields.append(("setMark", marks(mask: mark.mask, xor: mark.xor, value: 0)))
    }
    if rule.hasCounter { fields.append(("anonymousCounter", .flag(true))) }
    if let decision = rule.decision { fields.append(("verdict", .text(decision.rawValue))) }
    return .fields(fields)
  }

  private static func marks(mask: UInt32, xor: UInt32, value: UInt32) -> Value {
    .fields(
      [("mask", mask), ("xor", xor), ("value", value)].filter { $0.1 != 0 }
        .map { ($0.0, .number(Int($0.1))) })
  }

  private static func address(_ match: ChainRuleSpecification.AddressMatch) -> Value {
    var fields: [(String, Value)] = []
    for (name, list) in [("includeSubnets", match.included), ("excludeSubnets", match.excluded)]
    where !list.isEmpty { fields.append((name, .list(list.map { .text("\($0)") }))) }
    if match.isInverted { fields.append(("invert", .flag(true))) }
    return .fields(fields)
  }

  private static func layer4(_ match: ChainRuleSpecification.Layer4Match) -> Value {
    let names: [UInt8: String] = [1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"]
    let number = match.transport.rawValue
    var fields: [(String, Value)] = [
      ("protocol", .text(names[number] ?? "Protocol(\(number))"))
    ]
    let ports = [
      ("matchSourcePort", match.sourcePorts), ("matchDestinationPort", match.destinationPorts),
    ]
    for (name, ranges) in ports {
      guard let ranges else { continue }
      let list = ranges.map { range in
        Value.fields([("lo", .number(Int(range.lower))), ("hi", .number(Int(range.upper)))])
      }
      fields.append((name, list.isEmpty ? .fields([]) : .fields([("ranges", .list(list))])))
    }
    if let types = match.icmpTypes {
      fields.append(
        ("matchICMPType", .fields([("types", .list(types.map { .number(Int($0)) }))])))
    }
    return .fields(fields)
  }
}

extension ChainSpecification {
  /// The chain without the places that its rules came from.
  var withoutPlaces: ChainSpecification {
    var chain = self
    for index in chain.rules.indices { chain.rules[index].provenance = Provenance() }
    return chain
  }
}
