import Addresses
import Capture
import Foundation
import LinuxKernel
import Testing
import Wire

/// Whether a program is there; where CI is set the test runs, and fails where it is not.
func needs(_ program: String) -> ConditionTrait {
  .enabled(
    if: Machine.environment("CI") != nil || Files.exists("/usr/bin/\(program)"),
    "needs \(program) in /usr/bin")
}

/// A packet of a run, and what the file says of it.
struct Crossing {
  var bytes: [UInt8]
  var direction: PacketDirection = .inbound
  /// The line of `--packets` that asks the same.
  func line(iif: String = "eth0") -> String {
    let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    switch direction {
    case .inbound: return #"{"l3_hex": "\#(hex)", "iif": "\#(iif)"}"#
    case .outbound: return #"{"l3_hex": "\#(hex)", "local": true, "oif": "\#(iif)"}"#
    }
  }

  /// The packet in an Ethernet frame between the host and its neighbour.
  func frame(tags: [UInt16] = []) -> [UInt8] {
    let (host, other): ([UInt8], [UInt8]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9])
    let type: [UInt8] = bytes.first.map { $0 >> 4 } == 6 ? [0x86, 0xDD] : [8, 0]
    let head = direction == .inbound ? host + other : other + host
    return head + tags.flatMap { [0x81, 0, UInt8($0 >> 8), UInt8($0 & 255)] } + type + bytes
  }
}

private func built(
  _ source: String, _ destination: String, _ segment: PacketBuilder.Segment
) throws -> [UInt8] {
  let source = try #require(IPAddress(source))
  let destination = try #require(IPAddress(destination))
  return try #require(PacketBuilder.packet(from: source, to: destination, carrying: segment))
}

/// TCP to and from the host 10.0.0.1, with numbers as a connection has them.
func segment(
  _ source: String, _ from: UInt16, _ destination: String, _ to: UInt16, _ flags: TCPHeader.Flags,
  sequence: UInt32 = 0, acknowledgment: UInt32 = 0
) throws -> [UInt8] {
  var header = TCPHeader(sourcePort: from, destinationPort: to)
  header.flags = flags
  header.sequence = sequence
  header.acknowledgement = acknowledgment
  return try built(source, destination, .tcp(header, payload: []))
}

func datagram(_ source: String, _ destination: String, _ port: UInt16) throws -> [UInt8] {
  try built(
    source, destination,
    .udp(
      UDPHeader(sourcePort: 5000, destinationPort: port, payloadByteCount: 3), payload: [1, 2, 3]))
}

/// A connection that is let in and answered, one that is not, datagrams of both families, and a
/// packet whose IP header is wrong.
func crossings() throws -> [Crossing] {
  let (peer, host) = ("10.0.0.5", "10.0.0.1")
  var broken = try datagram(peer, host, 53)
  broken[10] ^= 1
  return [
    Crossing(bytes: try segment(peer, 4000, host, 22, .syn, sequence: 100)),
    Crossing(
      bytes: try segment(
        host, 22, peer, 4000, [.syn, .ack], sequence: 900, acknowledgment: 101),
      direction: .outbound),
    Crossing(
      bytes: try segment(peer, 4000, host, 22, .ack, sequence: 101, acknowledgment: 901)),
    Crossing(bytes: try segment(peer, 4001, host, 23, .syn, sequence: 7)),
    Crossing(bytes: try datagram(host, peer, 53), direction: .outbound),
    Crossing(bytes: try datagram("fd00::5", "fd00::1", 53)),
    Crossing(bytes: try datagram("fd00::1", "fd00::5", 53), direction: .outbound),
    Crossing(bytes: broken),
  ]
}

/// A pcap file of frames that came a second after each other, or so many.
func pcapFile(
  linkType: UInt32 = 1, _ frames: [[UInt8]], apart: UInt32 = 1, lengthOnWire: Int? = nil
) -> [UInt8] {
  var bytes: [UInt8] = []
  func append(_ number: UInt32) {
    bytes += (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) }
  }
  append(0xA1B2_C3D4)
  bytes += [2, 0, 4, 0]
  for number in [0, 0, 262_144, linkType] { append(number) }
  for (number, frame) in frames.enumerated() {
    append(1_700_000_000 + UInt32(number) * apart)
    append(0)
    append(UInt32(frame.count))
    append(UInt32(lengthOnWire ?? frame.count))
    bytes += frame
  }
  return bytes
}
