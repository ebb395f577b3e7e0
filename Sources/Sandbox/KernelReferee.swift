internal import LinuxKernel
internal import Netfilter
package import Simulation

/// What Linux does with packets under a ruleset: the kernel of this machine is asked.
///
/// Each question is put in a child process with a network namespace of its own, which ends with
/// the child, however that ends. Nothing on the machine is changed, and questions know nothing of
/// each other: the connection table and all counters start empty.
package struct KernelReferee: Sendable {
  private let ruleset: [UInt8]
  private let host: Host
  private let executable: String
  private let timeout: Duration

  /// - Parameters:
  ///   - ruleset: nft commands, or what `nft -j list ruleset` prints.
  ///   - host: The interfaces, addresses, routes and settings around it.
  ///   - executable: The tool itself; another path is for tests.
  ///   - timeout: How long an answer may take.
  package init(
    ruleset: [UInt8], host: Host, executable: String? = nil, timeout: Duration = .seconds(120)
  ) {
    self.ruleset = ruleset
    self.host = host
    self.executable = executable ?? Machine.ownExecutable
    self.timeout = timeout
  }

  /// Sends the packets through the kernel, one after the other.
  ///
  /// No packet is answered and no connection confirmed, but what rules keep (limits, sets) is
  /// kept from one packet to the next.
  ///
  /// - Returns: The verdicts, in the order of the packets.
  /// - Throws: ``SandboxError`` where the kernel could not be asked.
  package func verdicts(for packets: [SandboxPacket]) throws(SandboxError) -> [HookVerdicts] {
    let request = SandboxRequest(ruleset: ruleset, host: host, packets: packets)
    let output: ChildProcess.Output
    do throws(Errno) {
      output = try ChildProcess.run(
        executable, [SandboxChild.argument], input: request.bytes, timeout: timeout,
        limit: 2 * packets.count + 1)
    } catch {
      throw .childFailed(reason: "\(executable): \(error)")
    }
    let words = String(decoding: output.errors, as: UTF8.self)
    switch output.ending {
    case .exited(let status):
      guard let status = SandboxChild.Status(rawValue: status) else {
        throw .childFailed(reason: "exit status \(status)")
      }
      if status != .done { throw Self.error(status, words) }
    case .signalled(let signal): throw .signalled(signal)
    case .timedOut: throw .timedOut(after: timeout)
    case .wroteTooMuch: throw .childFailed(reason: "it answered too much")
    }
    guard output.output.count == 2 * packets.count else {
      throw .childFailed(reason: "it answered too little")
    }
    return packets.indices.map {
      HookVerdicts(entered: output.output[2 * $0], left: output.output[2 * $0 + 1])
    }
  }

  private static func error(_ status: SandboxChild.Status, _ words: String) -> SandboxError {
    let first = words.prefix { $0 != " " }
    let reason = Errno(rawValue: CInt(first) ?? 0)
    return switch status {
    case .done: preconditionFailure("a child that has done its work has not failed")
    case .rejected: .rejected(words: words)
    case .userNamespaceRefused: .namespaceRefused(step: .user, reason)
    case .networkNamespaceRefused: .namespaceRefused(step: .network, reason)
    case .mappingRefused: .namespaceRefused(step: .mapping, reason)
    case .failed: .failed(step: String(words.dropFirst(first.count + 1)), reason)
    case .unknownInterface: .unknownInterface(words)
    case .misused: .childFailed(reason: "not understood")
    case .childFailed: .childFailed(reason: words)
    }
  }
}
