internal import LinuxKernel
internal import Netfilter

/// The half of this module that runs in a child process of the tool.
package enum SandboxChild {
  /// The hidden only argument that makes the tool such a child.
  package static let argument = "--internal-sandbox"

  /// How the child tells its parent what happened.
  enum Status: CInt {
    case done = 0
    /// Standard error has nft's words.
    case rejected = 10
    /// Standard error has the number of the `Errno`, as for the following two.
    case userNamespaceRefused = 12
    case networkNamespaceRefused = 13
    case mappingRefused = 14
    /// Standard error has the number of the `Errno` and, after a space, the step.
    case failed = 20
    /// Standard error has the name.
    case unknownInterface = 21
    case misused = 22
    /// Standard error has the reason.
    case childFailed = 23
  }

  /// Reads a request from standard input, answers it on standard output and returns the status.
  ///
  /// An answer is two octets for each packet: a bit for each hook that it entered, a bit for each
  /// that it left.
  package static func run() -> CInt {
    do throws(SandboxError) {
      let input = try attempting("reading the request") { () throws(Errno) in
        try StandardStream.input.readAll(limit: 1 << 32)
      }
      guard let request = SandboxRequest(reading: input) else { return Status.misused.rawValue }
      let verdicts = try answer(request)
      var output: [UInt8] = []
      output.reserveCapacity(2 * verdicts.count)
      for verdict in verdicts { output += [verdict.entered, verdict.left] }
      try attempting("writing the answer") { () throws(Errno) in
        try StandardStream.output.write(output)
      }
      return Status.done.rawValue
    } catch {
      return report(error)
    }
  }

  private static func answer(_ request: SandboxRequest) throws(SandboxError) -> [HookVerdicts] {
    try confine()
    do throws(Namespaces.EntryError) {
      try Namespaces.enterNetworkNamespace()
    } catch {
      switch error {
      case .userNamespaceRefused(let reason): throw .namespaceRefused(step: .user, reason)
      case .networkNamespaceRefused(let reason): throw .namespaceRefused(step: .network, reason)
      case .mappingRefused(_, let reason): throw .namespaceRefused(step: .mapping, reason)
      }
    }
    // credentials(7): the kernel forgets what to do at the parent's death when they change.
    try confine()
    try attempting("staying on one processor") { () throws(Errno) in
      try ChildProcess.stayOnThisProcessor()
    }
    var network = try VirtualNetwork()
    try network.build(request.host)
    let bell = try network.addBell()
    try load(request.ruleset)
    try load(Array(ProbeTable.commands.utf8))
    var referee = try Referee(network, bell: bell)
    return try referee.verdicts(for: request.packets)
  }

  private static func confine() throws(SandboxError) {
    try attempting("limiting the sandbox") { () throws(Errno) in
      try ChildProcess.confineThisProcess(memory: 8 << 30, processorSeconds: 600)
    }
  }

  private static func load(_ ruleset: [UInt8]) throws(SandboxError) {
    switch RulesetLoading.load(ruleset) {
    case .loaded: return
    case .rejected(let words): throw .rejected(words: words)
    case .outOfMemory: throw .childFailed(reason: "out of memory")
    }
  }

  private static func report(_ error: SandboxError) -> CInt {
    let (status, words): (Status, String) =
      switch error {
      case .namespaceRefused(.user, let reason): (.userNamespaceRefused, "\(reason.rawValue)")
      case .namespaceRefused(.network, let reason): (.networkNamespaceRefused, "\(reason.rawValue)")
      case .namespaceRefused(.mapping, let reason): (.mappingRefused, "\(reason.rawValue)")
      case .rejected(let words): (.rejected, words)
      case .failed(let step, let reason): (.failed, "\(reason.rawValue) \(step)")
      case .unknownInterface(let name): (.unknownInterface, name)
      case .childFailed(let reason): (.childFailed, reason)
      case .signalled, .timedOut:
        preconditionFailure("only a parent sees how its child ended")
      }
    // If the parent is gone there is nobody to tell.
    try? StandardStream.error.write(words)
    return status.rawValue
  }
}
