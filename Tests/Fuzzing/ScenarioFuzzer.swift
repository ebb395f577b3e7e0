import Addresses
import Diagnostics
import Scenarios

/// Reads arbitrary bytes as a scenario file, draws what is said about them, and reads the lines
/// that came out once more.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  var sources = SourceMap()
  let (plan, diagnostics) = ScenarioReader.read(
    path: "main.scn", bytes: bytes, sources: &sources
  ) { path in
    // A file may include itself, an inventory, and what is not there.
    switch path {
    case "inventory.scn": .success(Array("host alpha = 10.1.0.1, fd01::1\ngroup back = any\n".utf8))
    case "a.scn": .success(bytes)
    default: .failure(UnreadableFile(reason: "no such file"))
    }
  }
  let renderer = DiagnosticRenderer(sources: sources, style: .plain)
  for diagnostic in diagnostics { precondition(!renderer.render(diagnostic).isEmpty) }
  precondition((plan == nil) == diagnostics.contains { $0.severity == .error })
  for flow in plan?.flows.prefix(8) ?? [] {
    // Names are declared elsewhere, so only the grammar counts.
    let complaints = Parser.parse(Array((flow.text + "\n").utf8), file: 0).diagnostics
    precondition(complaints.isEmpty, "the canonical text is not read back: \(flow.text)")
  }
  return 0
}
