internal import LinuxKernel
internal import Netfilter

/// The rules that this namespace has, one ruleset after the other.
struct LoadedRules: ~Copyable {
  private let netfilter: NetlinkSocket
  private var loader = RulesetLoader()
  private var mode = ProbeTable.Mode()
  /// Whether there are chains of devices, with probes around them.
  private var hasDevices = false

  init() throws(SandboxError) {
    netfilter = try attempting("opening a netfilter socket") { () throws(Errno) in
      try NetlinkSocket(.netfilter, patience: .seconds(60))
    }
  }

  /// Loads a ruleset in the place of all that is there, and the probes around it.
  ///
  /// Sets, counters and limits are as the ruleset says, and the connection table is empty.
  ///
  /// - Throws: ``SandboxError/rejected(_:)``; no ruleset is loaded then.
  mutating func replace(with ruleset: [UInt8]) throws(SandboxError) {
    try clear()
    mode = ProbeTable.Mode()
    do throws(SandboxError) {
      try load(ruleset)
      let use = try attempting("listing the rules") { () throws(Errno) in
        try HookUse(netfilter)
      }
      try load(Array(ProbeTable.commands(busy: use.busy).utf8))
      let commands = ProbeTable.deviceCommands(for: use.devices)
      if let commands { try load(Array(commands.utf8)) }
      hasDevices = commands != nil
    } catch {
      try clear()
      throw error
    }
  }

  /// Has the probes deal with packets in another way from now on.
  mutating func setMode(_ mode: ProbeTable.Mode) throws(SandboxError) {
    guard mode != self.mode else { return }
    try load(Array(ProbeTable.commands(for: mode, hasDevices: hasDevices).utf8))
    self.mode = mode
  }

  /// The handles of all rules but the probes', by chain.
  func handles() throws(SandboxError) -> [LoadedChains.Key: [UInt64]] {
    try attempting("listing the rules") { () throws(Errno) in
      try LoadedChains.handles(netfilter)
    }
  }

  /// Adds entries to the connection table.
  func add(_ connections: [SandboxConnection]) throws(SandboxError) {
    for connection in connections {
      try attempting("adding a connection") { () throws(Errno) in
        try netfilter.perform(ConnectionRequest.message(connection))
      }
    }
  }

  /// Loads the objects of a listing one by one, for as long as that goes.
  ///
  /// - Returns: The number of the first that is refused, and nft's words; nil where none is.
  /// - Throws: ``SandboxError`` where it could not be tried.
  mutating func firstRefused(
    of objects: [ArraySlice<UInt8>]
  ) throws(SandboxError) -> (number: Int, words: String)? {
    try clear()
    var refused: (Int, String)?
    for (number, object) in objects.enumerated() {
      do throws(SandboxError) {
        try load(ListingOrder.listing([object]))
      } catch {
        guard case .rejected(let rejection) = error else { throw error }
        refused = (number, rejection.words)
        break
      }
    }
    try clear()
    return refused
  }

  /// Removes all tables and all connections.
  ///
  /// Source: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h, nfnetlink_conntrack.h.
  private func clear() throws(SandboxError) {
    // NFNL_SUBSYS_NFTABLES is 10, NFT_MSG_DELTABLE 2: without a name, of all families.
    var tables = NetlinkMessage(type: 10 << 8 | 2)
    tables.append(UInt32(0))
    // NFNL_SUBSYS_CTNETLINK is 1, IPCTNL_MSG_CT_DELETE 2: without a tuple, of all families.
    var connections = NetlinkMessage(type: 1 << 8 | 2)
    connections.append(UInt32(0))
    do throws(Errno) {
      try netfilter.perform([tables], of: 10)
      // Rules are taken apart later, and until then tracking and translation stay as they had them.
      // The kernel waits for that where a socket of netfilter's is closed (net/netfilter/
      // nf_tables_api.c, `nft_rcv_nl_event`).
      let closing = try NetlinkSocket(.netfilter, patience: .seconds(60))
      try closing.perform(connections)
    } catch {
      throw .failed(step: "removing what was loaded", error)
    }
  }

  private mutating func load(_ ruleset: [UInt8]) throws(SandboxError) {
    switch loader.load(ruleset) {
    case .loaded: return
    case .rejected(let words): throw .rejected(RulesetRejection(words: words))
    case .outOfMemory: throw .childFailed(reason: "out of memory")
    }
  }
}
