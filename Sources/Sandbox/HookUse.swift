internal import LinuxKernel
import Rulesets

/// Where what is loaded can stop a packet.
struct HookUse: Hashable {
  /// Hooks of the IP layer where a packet may come in and not leave.
  private(set) var busy: Set<Hook> = []
  /// The devices that have chains, by hook.
  private(set) var devices: [Hook: [String]] = [:]

  /// Expressions that have the kernel register nothing of its own at a hook.
  ///
  /// Any other may be of connection tracking, which keeps fragments and drops by itself.
  private static let plain: Set<String> = [
    "bitwise", "byteorder", "cmp", "counter", "fib", "immediate", "limit", "log", "lookup", "meta",
    "payload", "quota", "range", "reject", "rt",
  ]

  /// Asks the kernel what is in this namespace besides the probes.
  ///
  /// Source: include/uapi/linux/netfilter/nf_tables.h: `nft_chain_attributes`,
  /// `nft_hook_attributes`, `nft_devices_attributes`, `nft_rule_attributes`, `nft_expr_attributes`,
  /// `nft_set_attributes`.
  init(_ socket: borrowing NetlinkSocket) throws(Errno) {
    var names: [Hook: Set<String>] = [:]
    var isTracking = false
    // NFT_MSG_GETCHAIN is 4, NFT_MSG_NEWCHAIN 3.
    try Self.forEach(socket, request: 4, answer: 3) { reader, family, attributes in
      var isProbe = false
      reader.forEachAttribute(from: attributes.lowerBound, to: attributes.upperBound) {
        attribute, value in  // NFTA_CHAIN_TABLE, which comes first
        if attribute == 1 { isProbe = text(value, in: reader) == ProbeTable.name }
        guard !isProbe else { return }
        switch attribute {
        case 4: note(hook: value, of: family, in: reader, &names)  // NFTA_CHAIN_HOOK
        case 7: isTracking = isTracking || text(value, in: reader) == "nat"  // NFTA_CHAIN_TYPE
        default: break
        }
      }
    }
    devices = names.mapValues { Array($0) }
    // NFT_MSG_GETRULE is 7, NFT_MSG_NEWRULE 6.
    if !isTracking {
      try Self.forEach(socket, request: 7, answer: 6) { reader, _, attributes in
        reader.forEachAttribute(from: attributes.lowerBound, to: attributes.upperBound) {
          attribute, value in
          guard attribute == 4 else { return }  // NFTA_RULE_EXPRESSIONS
          reader.forEachAttribute(from: value.lowerBound, to: value.upperBound) { _, expression in
            reader.forEachAttribute(from: expression.lowerBound, to: expression.upperBound) {
              inner, value in  // NFTA_EXPR_NAME
              if inner == 1, !Self.plain.contains(text(value, in: reader)) { isTracking = true }
            }
          }
        }
      }
    }
    // NFT_MSG_GETSET is 10, NFT_MSG_NEWSET 9.
    if !isTracking {
      try Self.forEach(socket, request: 10, answer: 9) { reader, _, attributes in
        reader.forEachAttribute(from: attributes.lowerBound, to: attributes.upperBound) {
          attribute, _ in  // NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS
          if attribute == 17 || attribute == 18 { isTracking = true }
        }
      }
    }
    if isTracking { busy = Set(Hook.allCases) }
  }

  private mutating func note(
    hook range: Range<Int>, of family: Family?, in reader: NetlinkReader,
    _ names: inout [Hook: Set<String>]
  ) {
    var number: UInt32 = 0
    var found: Set<String> = []
    reader.forEachAttribute(from: range.lowerBound, to: range.upperBound) { attribute, value in
      switch attribute {
      case 1 where value.count == 4:  // NFTA_HOOK_HOOKNUM
        number = reader.uint32(at: value.lowerBound).bigEndian
      case 3: found.insert(text(value, in: reader))  // NFTA_HOOK_DEV
      case 4:  // NFTA_HOOK_DEVS
        reader.forEachAttribute(from: value.lowerBound, to: value.upperBound) {
          found.insert(text($1, in: reader))
        }
      default: break
      }
    }
    // NF_NETDEV_INGRESS is 0, NF_NETDEV_EGRESS 1; NF_INET_INGRESS is 5.
    let hooks: [Hook] = [.prerouting, .input, .forward, .output, .postrouting, .ingress]
    let hook: Hook? =
      family == .netdev
      ? (number == 1 ? .egress : .ingress)
      : hooks.indices.contains(Int(number)) ? hooks[Int(number)] : nil
    guard let hook else { return }
    if hook == .ingress || hook == .egress {
      if !found.isEmpty { names[hook, default: []].formUnion(found) }
    } else {
      busy.insert(hook)
    }
  }

  private static func forEach(
    _ socket: borrowing NetlinkSocket, request: UInt16, answer: UInt16,
    _ visit: (NetlinkReader, Family?, Range<Int>) -> Void
  ) throws(Errno) {
    // NFNL_SUBSYS_NFTABLES is 10; NLM_F_DUMP.
    var message = NetlinkMessage(type: 10 << 8 | request, flags: 0x300)
    message.append(UInt32(0))
    for part in try socket.list(message) {
      let reader = NetlinkReader(bytes: part, count: part.count)
      reader.forEachMessage { start, end in
        guard reader.uint16(at: start + 4) == 10 << 8 | answer, end >= start + 20 else { return }
        visit(reader, Family(kernelNumber: part[start + 16]), start + 20..<end)
      }
    }
  }
}

private func text(_ range: Range<Int>, in reader: NetlinkReader) -> String {
  String(decoding: reader.bytes[range].prefix { $0 != 0 }, as: UTF8.self)
}
