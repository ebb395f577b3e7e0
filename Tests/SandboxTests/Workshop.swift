import Addresses
import Foundation
import LinuxKernel
import Sandbox
import Simulation
import Testing

typealias Object = [String: Any]

private let root = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

/// Data with verdicts that a Linux kernel gave, beside the repository.
let corpora = root.deletingLastPathComponent().appending(path: "shared/corpora")

let hasCorpora: ConditionTrait = .enabled(
  if: Machine.environment("CI") != nil || FileManager.default.fileExists(atPath: corpora.path),
  "needs the corpora beside the repository")

/// Namespaces need root, or an environment that must have them.
let canUnshare: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces and becomes another user")

/// A folder with a copy of the tool that every user may run, and programs around it.
final class Workshop {
  let folder: String
  let tool: String

  init() throws {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let built = URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
    folder = NSTemporaryDirectory() + "/portproof-sandbox-\(UUID().uuidString)"
    tool = folder + "/portproof"
    let all: [FileAttributeKey: Any] = [.posixPermissions: 0o755]
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: all)
    try Self.write("cp \(built) \(tool)", to: tool)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// A program that runs `commands`, in which `$TOOL` is the tool.
  func program(_ commands: String) throws -> String {
    let path = folder + "/program-\(UUID().uuidString)"
    try Self.write(
      "cat >\(path)", to: path, input: Array("#!/bin/sh\nTOOL=\(tool)\n\(commands)\n".utf8))
    return path
  }

  /// Writes a program, in a process of its own.
  ///
  /// A program that some process has open for writing cannot be run, and what this process has
  /// open others may inherit for a moment.
  private static func write(_ command: String, to path: String, input: [UInt8] = []) throws {
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "\(command) && chmod 755 \(path)"], input: input, timeout: .seconds(30),
      limit: 1 << 16)
    try #require(output.ending == .exited(0))
  }

  /// The tool as a user without any privilege.
  func unprivileged() throws -> String {
    try program(
      "exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "
        + "--bounding-set=-all $TOOL \"$@\"")
  }

  func tool(isPrivileged: Bool) throws -> String { isPrivileged ? tool : try unprivileged() }
}

func host(_ interfaces: [Object], by device: String) throws -> Simulation.Host {
  let description: Object = [
    "interfaces": interfaces, "routes": [["to": "default", "dev": device]], "forwarding": true,
    "rp_filter": 0, "route_localnet": true, "accept_local": true,
  ]
  return try Simulation.Host(
    reading: Array(try JSONSerialization.data(withJSONObject: description)))
}

func twoNetworks() throws -> Simulation.Host {
  try host(
    [
      ["name": "eth0", "addresses": ["10.0.0.1/24", "fd00:0::1/64"]],
      ["name": "eth1", "addresses": ["10.1.0.1/24", "fd00:1::1/64"]],
    ], by: "eth1")
}

/// UDP from 10.0.0.5 to port 53 of 10.0.0.1.
let question = SandboxPacket(
  bytes: [
    0x45, 0, 0, 28, 0x12, 0x34, 0, 0, 64, 17, 0x54, 0x98, 10, 0, 0, 5, 10, 0, 0, 1,
    0x9C, 0x40, 0, 53, 0, 8, 0x4F, 0x63,
  ], origin: .received(InterfaceName("eth0") ?? .none, Packet.Frame()))
