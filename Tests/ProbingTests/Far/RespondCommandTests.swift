import Foundation
import LinuxKernel
import Probing
import Testing

@Suite("The command respond")
struct RespondCommandTests {
  /// A folder with a scenario whose host `far` has an address of the test network, or one that no
  /// machine has.
  private func inFolder(
    isElsewhere: Bool = false, _ body: (_ folder: String) throws -> Void
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "respond-\(UUID())").path
    try Files.makeFolders(folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Data(
      """
      service ping = icmp type echo-request, icmpv6 type echo-request
      host near = 192.0.2.1, 2001:db8::1
      host far = \(isElsewhere ? "240.0.0.7" : "192.0.2.2, 2001:db8::2")
      near -> far 22, 8000-8002 tcp expect allow
      near -> far 53 udp expect deny
      near -> far 9 tcp expect allow static
      far -> near 99 tcp expect allow
      near -> far ping expect allow

      """.utf8
    ).write(to: URL(fileURLWithPath: folder + "/cluster.scn"))
    try body(folder)
  }

  private func run(_ words: [String]) throws -> (status: ChildProcess.Ending, errors: String) {
    let output = try ChildProcess.run(
      FarSide.program(), ["respond"] + words, timeout: .seconds(60), limit: 1 << 20)
    return (output.ending, String(decoding: output.errors, as: UTF8.self))
  }

  @Test func `takes no key that others can read`() throws {
    try inFolder(isElsewhere: true) { folder in
      let scenario = folder + "/cluster.scn"
      let key = folder + "/run.key"
      let none = try run([scenario])
      #expect(none.status == .exited(2))
      #expect(none.errors.contains("error[usage.missing-option]: a run needs a key"))
      try Data((String(repeating: "0a", count: 32) + "\n").utf8)
        .write(to: URL(fileURLWithPath: key))
      for mode in [0o644, 0o640, 0o620, 0o604] {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: key)
        let open = try run([scenario, "--key", key])
        #expect(open.status == .exited(2))
        #expect(open.errors.contains("error[key.not-private]"), "\(open.errors)")
        #expect(open.errors.contains("chmod 600 \(key)"))
      }
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
      let elsewhere = try run([scenario, "--key", key])
      #expect(elsewhere.status == .exited(2))
      #expect(elsewhere.errors.contains("error[respond.nothing-here]"), "\(elsewhere.errors)")
      let taken = try run([scenario, "--new-key", key])
      #expect(taken.status == .exited(2))
      #expect(taken.errors.contains("file exists"), "\(taken.errors)")
      let host = try run([scenario, "--key", key, "--host", "fra"])
      #expect(host.errors.contains("no host 'fra'"), "\(host.errors)")
      for time in ["0", "s", "1d", "-1", "86401", "25h", "1.5s", "999999999999999999999h"] {
        #expect(try run([scenario, "--key", key, "--for", time]).errors.contains("wrong-duration"))
      }
      try Data("0a\n".utf8).write(to: URL(fileURLWithPath: key))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
      #expect(try run([scenario, "--key", key]).errors.contains("error[key.malformed]"))
    }
  }

  @Test(canMakeFarSide) func `listens for the lines that end at this machine`() async throws {
    try await FarSide.with { side in
      try inFolder { folder in
        let key = folder + "/run.key"
        let output = try side.shell(
          "'\(FarSide.program())' respond '\(folder)/cluster.scn' --new-key '\(key)' --for 2s "
            + "--capture '\(folder)/evidence' 2> '\(folder)/errors'")
        let lines = output.split(separator: "\n").map { Array($0.utf8) }
        #expect(lines.count == 2)
        guard case .ready(let readiness) = try ResponderEvent(reading: lines[0]),
          case .end(let ending) = try ResponderEvent(reading: lines[1])
        else {
          Issue.record("\(output)")
          return
        }
        #expect(PortText.text(of: readiness.boundTCP) == "22,8000-8002")
        #expect(PortText.text(of: readiness.boundUDP) == "53")
        #expect(readiness.hasDroppedPrivileges)
        #expect(ending.reason == .elapsed)
        let attributes = try FileManager.default.attributesOfItem(atPath: key)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(RunKey(text: try String(contentsOfFile: key, encoding: .utf8).dropLast()) != nil)
        let errors = try String(contentsOfFile: folder + "/errors", encoding: .utf8)
        #expect(
          errors.contains("listening on TCP 22,8000-8002 of 192.0.2.2, 2001:db8::2"), "\(errors)")
        #expect(Files.exists(folder + "/evidence/respond.pcapng"))
      }
    }
  }
}
