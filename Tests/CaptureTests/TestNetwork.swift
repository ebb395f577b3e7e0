import Addresses
import Capture
import Foundation
import Glibc
import LinuxKernel
import Testing
import Wire

/// Namespaces need root, in the machine or in a user namespace, or an environment that must have
/// them.
let canUnshare: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces and captures in them")

struct CommandFailure: Error, CustomStringConvertible {
  let description: String
}

/// Runs a command in the network namespace of this thread.
@discardableResult
func run(_ executable: String, _ arguments: [String]) throws -> String {
  let output = try ChildProcess.run(
    executable, arguments, timeout: .seconds(60), limit: 1 << 26)
  guard output.ending == .exited(0) else {
    throw CommandFailure(
      description: "\(executable) \(arguments.joined(separator: " ")): \(output.ending): "
        + String(decoding: output.errors, as: UTF8.self))
  }
  return String(decoding: output.output, as: UTF8.self)
}

/// Runs `body` in a thread and a network namespace of its own, which end with it.
func inNamespace<Result: Sendable>(
  _ commands: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    let thread = Thread {
      continuation.resume(
        with: .init {
          try Namespaces.enterAnotherNetworkNamespace()
          try run("/bin/sh", ["-e", "-c", "PATH=/usr/sbin:/sbin:/usr/bin:/bin\n\(commands)"])
          return try body()
        })
    }
    thread.stackSize = 8 << 20
    thread.start()
  }
}

/// Two ends of a cable, which carry what the tests send and nothing else.
let cable = """
  ip link add near type veth peer name far
  for end in near far; do
    ip link set $end addrgenmode none
    ip link set $end arp off
    ip link set $end up
  done
  """

func name(_ text: String) throws -> InterfaceName { try #require(InterfaceName(text)) }

/// The number of an interface in the network namespace of this thread.
func index(of interface: String) -> UInt32 { unsafe if_nametoindex(interface) }

func packet(
  _ segment: PacketBuilder.Segment, from source: String = "10.0.0.5",
  to destination: String = "10.0.0.1"
) throws -> [UInt8] {
  let source = try #require(IPAddress(source))
  let destination = try #require(IPAddress(destination))
  return try #require(PacketBuilder.packet(from: source, to: destination, carrying: segment))
}

func udp(_ source: UInt16, _ destination: UInt16, _ payload: [UInt8] = []) -> PacketBuilder.Segment
{
  .udp(
    UDPHeader(
      sourcePort: source, destinationPort: destination, payloadByteCount: payload.count),
    payload: payload)
}

func tcp(_ source: UInt16, _ destination: UInt16) -> PacketBuilder.Segment {
  .tcp(TCPHeader(sourcePort: source, destinationPort: destination), payload: [])
}

/// An Ethernet frame around a packet.
func frame(_ packet: [UInt8], tags: [UInt16] = [], carrying number: UInt16? = nil) -> [UInt8] {
  var octets: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
  let carried: UInt16 = number ?? (packet.first.map { $0 >> 4 } == 6 ? 0x86DD : 0x0800)
  func append(_ number: UInt16) { octets += [UInt8(number >> 8), UInt8(number & 255)] }
  for tag in tags {
    append(0x8100)
    append(tag)
  }
  append(carried)
  return octets + packet
}

/// Sends frames by an interface of this thread's network namespace.
func send(_ frames: [[UInt8]], by interface: String) throws {
  let socket = try LinkSocket()
  var train = LinkSocket.Frames()
  for frame in frames { train.append(frame[...], by: index(of: interface)) }
  try socket.send(train)
}

/// A packet as a test keeps it.
struct Kept: Hashable, Sendable {
  var facts: CapturedPacket
  var bytes: [UInt8]
}

extension LiveCapture {
  /// Waits until `count` packets came, or none for a second.
  mutating func gather(_ count: Int) throws -> [Kept] {
    var kept: [Kept] = []
    while kept.count < count, try wait(atMost: .seconds(1)) {
      _ = try drain { facts, bytes in
        kept.append(Kept(facts: facts, bytes: bytes.indices.map { bytes[$0] }))
      }
    }
    return kept
  }
}
