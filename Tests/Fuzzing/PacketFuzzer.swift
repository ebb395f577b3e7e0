import Addresses
import Wire

// Prints arbitrary bytes as a frame and as a packet, and looks at them as a filter does.
// Run with `Tests/Fuzzing/run packet SECONDS`.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  _ = PacketPrinter.print(frame: bytes)
  _ = PacketPrinter.print(packet: bytes)
  do throws(PacketLayout.Malformation) {
    let layout = try PacketLayout(reading: bytes)
    for kind in UInt8.min...UInt8.max { _ = layout.offset(ofExtension: kind, in: bytes) }
    for offset in stride(from: 0, to: 8 * bytes.count, by: 5) {
      _ = layout.bits(at: offset, count: 1 + offset % 128, in: bytes)
    }
    _ = layout.isChecksumValid(of: .tcp, from: layout.transportOffset, in: bytes)
  } catch {
    // A malformed packet is an answer, too.
    _ = error.rawValue
  }
  return 0
}
