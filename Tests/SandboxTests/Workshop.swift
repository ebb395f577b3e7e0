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
