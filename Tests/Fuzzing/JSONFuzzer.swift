import Diagnostics
import Documents
import NftablesFrontend
import Rulesets

/// Reads arbitrary bytes as JSON and as a listing; what is readable is printed.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzJSON(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  guard (try? JSONDocument(reading: bytes)) != nil else { return 0 }
  var sources = SourceMap()
  let reading = NftablesReader.read(bytes, name: "fuzz", sources: &sources)
  if let ruleset = reading.ruleset {
    _ = RulesetPrinter().text(of: ruleset)
  } else {
    precondition(
      reading.diagnostics.contains { $0.severity == .error },
      "a listing that gives no ruleset says why")
  }
  return 0
}
