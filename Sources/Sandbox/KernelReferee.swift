package import Simulation

/// What Linux does with packets under a ruleset: the kernel of this machine is asked.
///
/// Each question is put in a ``SandboxSession`` of its own, so questions know nothing of each
/// other.
package struct KernelReferee: Sendable {
  private let ruleset: [UInt8]
  private let host: Host
  private let executable: String?
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
    self.executable = executable
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
    var session = try SandboxSession(host: host, executable: executable, timeout: timeout)
    try session.load(ruleset)
    return try session.verdicts(for: packets)
  }
}
