import Capture
import Foundation
import LinuxKernel
import Testing

/// A folder that goes away with the test.
final class Folder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/portproof-capture-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String, holding bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    try Data(bytes).write(to: URL(filePath: file))
    return file
  }

  var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: path) }
  }
}

/// Whether a program is there; where CI is set the test runs, and fails where it is not.
func needs(_ program: String) -> ConditionTrait {
  .enabled(
    if: Machine.environment("CI") != nil || Files.exists("/usr/bin/\(program)"),
    "needs \(program) in /usr/bin")
}

/// A pcap file, in the byte order of machines with the least significant octet first.
///
/// Frames were `longer` on the wire than they are in the file.
func pcapFile(
  linkType: UInt32, frames: [[UInt8]], magic: UInt32 = 0xA1B2_3C4D, isBigEndian: Bool = false,
  longer: UInt32 = 10
) -> [UInt8] {
  var bytes: [UInt8] = []
  func append(_ number: UInt32) {
    let value = isBigEndian ? number.bigEndian : number.littleEndian
    bytes += (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
  }
  append(magic)
  bytes += isBigEndian ? [0, 2, 0, 4] : [2, 0, 4, 0]
  for number in [0, 0, 262_144, linkType] { append(number) }
  for (number, frame) in frames.enumerated() {
    append(1_700_000_000 + UInt32(number))
    append(123_456)
    append(UInt32(frame.count))
    append(UInt32(frame.count) + longer)
    bytes += frame
  }
  return bytes
}

extension CaptureFileReader {
  /// All that is left.
  mutating func rest() throws(CaptureError) -> [Packet] {
    var packets: [Packet] = []
    while let packet = try next() { packets.append(packet) }
    return packets
  }
}

/// The packets of a file up to its end or to what is wrong, and what that is.
func readable(_ path: String) -> (packets: [CaptureFileReader.Packet], error: CaptureError?) {
  var packets: [CaptureFileReader.Packet] = []
  do throws(CaptureError) {
    var reader = try CaptureFileReader(path)
    while let packet = try reader.next() { packets.append(packet) }
    return (packets, nil)
  } catch {
    return (packets, error)
  }
}
