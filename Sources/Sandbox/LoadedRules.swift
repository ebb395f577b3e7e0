internal import LinuxKernel
internal import Netfilter

/// The rules that a namespace has, one ruleset after the other.
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

  /// Loads a ruleset, and the probes around it, where nothing is loaded.
  ///
  /// - Throws: ``SandboxError/rejected(_:)``; what is loaded then is to be removed.
  mutating func load(_ ruleset: [UInt8]) throws(SandboxError) {
    mode = ProbeTable.Mode()
    try add(Array(ProbeTable.quietCommands.utf8))
    try add(ruleset)
    let use = try attempting("listing the rules") { () throws(Errno) in
      try HookUse(netfilter)
    }
    try add(Array(ProbeTable.commands(busy: use.busy).utf8))
    let commands = ProbeTable.deviceCommands(for: use.devices)
    if let commands { try add(Array(commands.utf8)) }
    hasDevices = commands != nil
  }

  /// Has the probes deal with packets in another way from now on.
  mutating func setMode(_ mode: ProbeTable.Mode) throws(SandboxError) {
    guard mode != self.mode else { return }
    try add(Array(ProbeTable.commands(for: mode, hasDevices: hasDevices).utf8))
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

  /// Loads the objects of a listing one by one, for as long as that goes, where nothing is loaded.
  ///
  /// - Returns: The number of the first that is refused, and nft's words; nil where none is.
  /// - Throws: ``SandboxError`` where it could not be tried.
  mutating func firstRefused(
    of objects: [ArraySlice<UInt8>]
  ) throws(SandboxError) -> (number: Int, words: String)? {
    for (number, object) in objects.enumerated() {
      do throws(SandboxError) {
        try add(ListingOrder.listing([object]))
      } catch {
        guard case .rejected(let rejection) = error else { throw error }
        return (number, rejection.words)
      }
    }
    return nil
  }

  /// Removes all tables and all connections.
  ///
  /// The kernel takes rules apart some milliseconds later, and until then tracking, translation and
  /// the gathering of fragments stay as they had them: ``awaitRemoval()``.
  ///
  /// Source: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h, nfnetlink_conntrack.h.
  func removeAll() throws(SandboxError) {
    // NFNL_SUBSYS_NFTABLES is 10, NFT_MSG_DELTABLE 2: without a name, of all families.
    var tables = NetlinkMessage(type: 10 << 8 | 2)
    tables.append(UInt32(0))
    // NFNL_SUBSYS_CTNETLINK is 1, IPCTNL_MSG_CT_DELETE 2: without a tuple, of all families.
    var connections = NetlinkMessage(type: 1 << 8 | 2)
    connections.append(UInt32(0))
    do throws(Errno) {
      try netfilter.perform([tables], of: 10)
      try netfilter.perform(connections)
    } catch {
      throw .failed(step: "removing what was loaded", error)
    }
  }

  /// Waits until the kernel has taken apart what was removed from the namespace of this thread.
  ///
  /// It does so where a socket of netfilter's is closed (net/netfilter/nf_tables_api.c,
  /// `nft_rcv_nl_event`).
  static func awaitRemoval() throws(SandboxError) {
    _ = try attempting("waiting for rules to be gone") { () throws(Errno) in
      try NetlinkSocket(.netfilter, patience: .zero)
    }
  }

  private mutating func add(_ ruleset: [UInt8]) throws(SandboxError) {
    switch loader.load(ruleset) {
    case .loaded: return
    case .rejected(let words): throw .rejected(RulesetRejection(words: words))
    case .outOfMemory: throw .childFailed(reason: "out of memory")
    }
  }
}
