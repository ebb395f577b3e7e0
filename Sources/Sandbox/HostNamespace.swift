internal import Addresses
internal import LinuxKernel
internal import Netfilter
internal import Simulation

/// A network namespace with a host in it, and what loads rules and sends packets there.
final class HostNamespace {
  private let namespace: Namespaces.Network
  private let network: VirtualNetwork
  /// How many interfaces were added for rulesets.
  private var idleCount = 0
  var rules: LoadedRules
  var referee: Referee
  private var trace: TraceLog?
  /// Whether anything was loaded that is not removed.
  var isUsed = false

  /// Moves to a new namespace, and makes the host in it.
  ///
  /// - Throws: ``SandboxError`` with what this environment does not allow.
  init(_ host: Host) throws(SandboxError) {
    do throws(Namespaces.EntryError) {
      try Namespaces.enterAnotherNetworkNamespace()
    } catch {
      throw SandboxError(error)
    }
    namespace = try attempting("opening a namespace") { () throws(Errno) in
      try Namespaces.Network()
    }
    network = try VirtualNetwork(host)
    try network.build()
    rules = try LoadedRules()
    referee = try Referee()
  }

  /// Moves to this namespace again, from which all was removed, as soon as the kernel has done so.
  func enter() throws(SandboxError) {
    try attempting("entering a namespace") { () throws(Errno) in try namespace.enter() }
    try LoadedRules.awaitRemoval()
  }

  /// Adds those of the interfaces that are not there yet; they are down and have no address.
  func addIdle(_ names: [InterfaceName]) throws(SandboxError) {
    for name in names[idleCount...] { try network.addIdle(name) }
    idleCount = names.count
  }

  /// Takes what the kernel told since the last time of the rules that packets passed.
  func takeTrace() throws(SandboxError) -> [TraceStep] {
    guard trace != nil else { return [] }
    return try trace?.take() ?? []
  }

  /// Begins to listen to what the kernel tells of packets that are traced.
  func listenToTrace() throws(SandboxError) {
    if trace == nil { trace = try TraceLog() }
  }
}

/// The namespaces of this process: all have the same host, and one has the ruleset.
///
/// The kernel takes some milliseconds to take the rules of a namespace apart. The next ruleset is
/// loaded into another one meanwhile, and the first has its turn again when it is empty.
final class HostNamespaces {
  let host: Host
  private(set) var current: HostNamespace
  /// Those whose rules were removed, with when; the first has been left for longest.
  private var left: [(namespace: HostNamespace, since: Duration)] = []
  private var idle: [InterfaceName] = []

  /// How many there are at most.
  private static let limit = 8
  /// A namespace that was left before is as good as empty; to wait for it takes no longer than to
  /// make another.
  private static let patience = Duration.milliseconds(20)

  init(_ host: Host) throws(SandboxError) {
    self.host = host
    current = try HostNamespace(host)
  }

  /// Adds an interface for the rulesets from the next one on.
  func addIdle(_ name: InterfaceName) { idle.append(name) }

  /// Moves to a namespace in which nothing is loaded, and something will be.
  func turn() throws(SandboxError) {
    if current.isUsed {
      try current.rules.removeAll()
      current.isUsed = false
      left.append((current, Clocks.monotonic))
      current = try another()
    }
    try current.addIdle(idle)
    current.isUsed = true
  }

  /// A new namespace, or the one that was left before all others.
  private func another() throws(SandboxError) -> HostNamespace {
    if left.count < Self.limit, Clocks.monotonic - left[0].since <= Self.patience {
      do throws(SandboxError) {
        return try HostNamespace(host)
      } catch .namespaceRefused {
        // The kernel counts namespaces, and allows this user no more.
      }
    }
    let first = left.removeFirst().namespace
    try first.enter()
    return first
  }

  /// Gives up the current namespace, which may hold more than a ruleset.
  func replaceCurrent() throws(SandboxError) {
    current = try HostNamespace(host)
  }
}

extension SandboxError {
  /// What the user should hear where a namespace cannot be entered.
  init(_ error: Namespaces.EntryError) {
    self =
      switch error {
      case .userNamespaceRefused(let reason): .namespaceRefused(step: .user, reason)
      case .networkNamespaceRefused(let reason): .namespaceRefused(step: .network, reason)
      case .mappingRefused(_, let reason): .namespaceRefused(step: .mapping, reason)
      }
  }
}
