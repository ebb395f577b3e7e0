import Diagnostics
import Glibc
import NftablesFrontend
import Rulesets
import Simulation

// A thin way into the simulator; the command line proper stands in front of it.
var options: [String: String] = [:]
var arguments = CommandLine.arguments.dropFirst(2)
while let name = arguments.popFirst(), let value = arguments.popFirst() { options[name] = value }
guard CommandLine.arguments.dropFirst().first == "simulate", let rulesetPath = options["--ruleset"],
  let packetPath = options["--packets"], let rulesetBytes = contents(of: rulesetPath),
  let packets = contents(of: packetPath)
else {
  complain("usage: portproof simulate --ruleset FILE --packets FILE [--host FILE]")
  exit(2)
}
var sources = SourceMap()
let reading = NftablesReader.read(rulesetBytes, name: rulesetPath, sources: &sources)
guard let ruleset = reading.ruleset else {
  let renderer = DiagnosticRenderer(sources: sources, style: .plain)
  for diagnostic in reading.diagnostics { complain(renderer.render(diagnostic)) }
  exit(2)
}
do throws(SimulationInputError) {
  var host: Host?
  if let path = options["--host"] {
    guard let bytes = contents(of: path) else { exit(2) }
    host = try Host(reading: bytes)
  }
  var run = SimulateRun(ruleset, host: host)
  for line in packets.split(separator: UInt8(ascii: "\n")) {
    let answer = try run.answer(Array(line))
    print(String(decoding: answer, as: UTF8.self))
  }
} catch {
  complain("\(error)")
  exit(2)
}

private func contents(of path: String) -> [UInt8]? {
  let descriptor = unsafe open(path, O_RDONLY)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe read(descriptor, $0.baseAddress, $0.count)
    }
    guard count > 0 else { return count == 0 ? bytes : nil }
    bytes += buffer[..<count]
  }
}

private func complain(_ text: String) {
  let bytes = Array((text + "\n").utf8)
  _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}
