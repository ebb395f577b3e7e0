import Diagnostics
import Documents
import Rulesets
import TalosFrontend

/// Reads arbitrary bytes as chains that talosctl prints and as a machine configuration; what is
/// readable is compiled and printed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  var sources = SourceMap()
  let reading = TalosChainsReader.read(bytes, name: "fuzz", sources: &sources)
  check(reading.diagnostics, isReadable: reading.chains != nil, sources)
  if let chains = reading.chains {
    _ = RulesetPrinter().text(of: ChainLowering(.standard).ruleset(of: chains))
  }
  let configuration = TalosReader.read([("fuzz", bytes)], options: .init(), sources: &sources)
  check(configuration.diagnostics, isReadable: configuration.ruleset != nil, sources)
  if let ruleset = configuration.ruleset { _ = RulesetPrinter().text(of: ruleset) }
  return 0
}

private func check(_ diagnostics: [Diagnostic], isReadable: Bool, _ sources: SourceMap) {
  precondition(
    isReadable != diagnostics.contains { $0.severity == .error },
    "what gives nothing says why")
  let renderer = DiagnosticRenderer(sources: sources, style: .plain)
  for diagnostic in diagnostics { precondition(!renderer.render(diagnostic).isEmpty) }
}
