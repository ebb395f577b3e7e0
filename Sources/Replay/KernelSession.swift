internal import Sandbox
internal import Simulation

/// The sandbox of one run, which is started when the first packet needs it.
struct KernelSession: ~Copyable {
  private let executable: String?
  private var session: SandboxSession?

  init(executable: String?) { self.executable = executable }

  /// Sends packets through a ruleset on a host.
  ///
  /// - Returns: The verdicts, in the order of the packets.
  /// - Throws: ``SandboxError`` with what this machine or the ruleset does not allow.
  mutating func verdicts(
    for packets: [SandboxPacket], by ruleset: [UInt8], on host: Host
  ) throws(SandboxError) -> [HookVerdicts] {
    if var kept = session.take() {
      try kept.replaceHost(host)
      session = consume kept
    } else {
      session = try SandboxSession(host: host, executable: executable)
    }
    try session?.load(ruleset)
    return try session?.verdicts(for: packets) ?? []
  }
}
