internal import LinuxKernel
import Rulesets

/// The rules that are loaded, by table and chain, in their order.
///
/// Handles are the sandbox's own; a rule is known again by its place in its chain.
struct LoadedChains: Hashable {
  struct Key: Hashable {
    var family: Family
    var table: String
    var chain: String
  }

  private var places: [Key: (table: Int, chain: Int)] = [:]
  private var rules: [Key: [UInt64: Int]] = [:]

  static func == (left: Self, right: Self) -> Bool { left.rules == right.rules }

  func hash(into hasher: inout Hasher) { hasher.combine(rules.count) }

  /// - Parameters:
  ///   - handles: The handles of each chain, in the order of its rules.
  ///   - model: The model that was loaded.
  init(_ handles: [Key: [UInt64]], _ model: Ruleset) {
    for (number, table) in model.tables.enumerated() {
      for (position, chain) in table.chains.enumerated() {
        let key = Key(family: table.family, table: table.name, chain: chain.name)
        places[key] = (number, position)
        let loaded = handles[key] ?? []
        // Otherwise a rule's place would be a guess.
        guard loaded.count == chain.rules.count else { continue }
        rules[key] = Dictionary(
          loaded.enumerated().map { ($0.element, $0.offset) },
          uniquingKeysWith: { first, _ in first })
      }
    }
  }

  /// Where a step is in the model.
  func location(of step: TraceStep) -> RuleLocation? {
    let key = Key(family: step.family, table: step.table, chain: step.chain)
    guard let place = places[key] else { return nil }
    switch step.cause {
    case .rule(let handle):
      guard let rule = rules[key]?[handle] else { return nil }
      return RuleLocation(table: place.table, chain: place.chain, rule: rule)
    case .policy, .endOfChain:
      return RuleLocation(table: place.table, chain: place.chain, rule: nil)
    }
  }

  /// The handles of all rules of this namespace but the probes'.
  ///
  /// Source: include/uapi/linux/netfilter/nf_tables.h, `nft_rule_attributes`.
  static func handles(_ socket: borrowing NetlinkSocket) throws(Errno) -> [Key: [UInt64]] {
    // NFNL_SUBSYS_NFTABLES is 10, NFT_MSG_GETRULE 7, NFT_MSG_NEWRULE 6; NLM_F_DUMP.
    var request = NetlinkMessage(type: 10 << 8 | 7, flags: 0x300)
    request.append(UInt32(0))
    var handles: [Key: [UInt64]] = [:]
    for part in try socket.list(request) {
      let reader = NetlinkReader(bytes: part, count: part.count)
      reader.forEachMessage { start, end in
        guard reader.uint16(at: start + 4) == 10 << 8 | 6, end >= start + 20,
          let family = Family(kernelNumber: reader.bytes[start + 16])
        else { return }
        var key = Key(family: family, table: "", chain: "")
        var handle: UInt64 = 0
        reader.forEachAttribute(from: start + 20, to: end) { attribute, value in
          switch attribute {
          case 1, 2:  // NFTA_RULE_TABLE, NFTA_RULE_CHAIN
            let text = String(
              decoding: part[value].prefix { $0 != 0 }, as: UTF8.self)
            if attribute == 1 { key.table = text } else { key.chain = text }
          case 3: handle = part[value].reduce(0) { $0 << 8 | UInt64($1) }  // NFTA_RULE_HANDLE
          default: break
          }
        }
        if key.table != ProbeTable.name { handles[key, default: []].append(handle) }
      }
    }
    return handles
  }
}
