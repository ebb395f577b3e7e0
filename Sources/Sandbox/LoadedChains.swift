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

  /// The devices that have chains, by hook.
  ///
  /// Source: include/uapi/linux/netfilter/nf_tables.h, `nft_chain_attributes`, `nft_hook_attributes`,
  /// `nft_devices_attributes`.
  static func devices(_ socket: borrowing NetlinkSocket) throws(Errno) -> [Hook: [String]] {
    // NFNL_SUBSYS_NFTABLES is 10, NFT_MSG_GETCHAIN 4, NFT_MSG_NEWCHAIN 3; NLM_F_DUMP.
    var request = NetlinkMessage(type: 10 << 8 | 4, flags: 0x300)
    request.append(UInt32(0))
    var devices: [Hook: Set<String>] = [:]
    for part in try socket.list(request) {
      let reader = NetlinkReader(bytes: part, count: part.count)
      reader.forEachMessage { start, end in
        guard reader.uint16(at: start + 4) == 10 << 8 | 3, end >= start + 20 else { return }
        let isNetdev = Family(kernelNumber: part[start + 16]) == .netdev
        reader.forEachAttribute(from: start + 20, to: end) { attribute, value in
          guard attribute == 4 else { return }  // NFTA_CHAIN_HOOK
          var number: UInt32 = 0
          var names: [String] = []
          func text(_ range: Range<Int>) -> String {
            String(decoding: part[range].prefix { $0 != 0 }, as: UTF8.self)
          }
          reader.forEachAttribute(from: value.lowerBound, to: value.upperBound) { inner, value in
            switch inner {
            case 1 where value.count == 4:  // NFTA_HOOK_HOOKNUM
              number = reader.uint32(at: value.lowerBound).bigEndian
            case 3: names.append(text(value))  // NFTA_HOOK_DEV
            case 4:  // NFTA_HOOK_DEVS
              reader.forEachAttribute(from: value.lowerBound, to: value.upperBound) {
                names.append(text($1))
              }
            default: break
            }
          }
          // NF_NETDEV_INGRESS is 0, NF_NETDEV_EGRESS 1; NF_INET_INGRESS is 5.
          guard !names.isEmpty, isNetdev || number == 5 else { return }
          devices[isNetdev && number == 1 ? .egress : .ingress, default: []].formUnion(names)
        }
      }
    }
    return devices.mapValues { Array($0) }
  }
}
