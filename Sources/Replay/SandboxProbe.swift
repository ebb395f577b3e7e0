internal import Addresses
internal import LinuxKernel
package import Outcomes
internal import Rulesets
internal import Sandbox
internal import Simulation
internal import Wire

/// Whether the sandbox works here, for this user: found out by using it.
package enum SandboxProbe {
  /// Loads one ruleset into a sandbox and sends one packet that it drops and one that it accepts.
  ///
  /// - Parameter executable: The tool itself; another path is for tests.
  /// - Returns: What stands in the way; nil where nothing does.
  package static func obstacle(executable: String? = nil) -> ReplaySummary.Obstacle? {
    guard let eth0 = InterfaceName("eth0"),
      let own = IPAddress("192.0.2.1"), let other = IPAddress("192.0.2.2")
    else { preconditionFailure("these are a name and addresses") }
    let host = Host(
      interfaces: [
        Host.Interface(name: eth0, addresses: [Host.Interface.Address(own, length: 24)])
      ])
    let packets = [UInt16(1), 2].compactMap { port in
      PacketBuilder.packet(
        from: other, to: own,
        carrying: .tcp(TCPHeader(sourcePort: 1024, destinationPort: port), payload: []))
    }
    do throws(SandboxError) {
      let verdicts = try KernelReferee(
        ruleset: Array(ruleset.utf8), host: host, executable: executable
      ).verdicts(
        for: packets.map { SandboxPacket(bytes: $0, origin: .received(eth0, Packet.Frame())) })
      if verdicts.map({ $0[.input] }) == [.drop, .accept] { return nil }
      return ReplaySummary.Obstacle(
        reason: "the kernel did not treat two packets as a rule says", help: nil)
    } catch {
      return SandboxDiagnosis(.here).obstacle(for: error)
    }
  }

  private static let ruleset = """
    table inet doctor {
      chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 1 drop
      }
    }
    """
}
