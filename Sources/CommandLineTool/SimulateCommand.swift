internal import Diagnostics
internal import LinuxKernel
internal import Rulesets
internal import Simulation

/// `simulate`: the verdicts of packets, one line of JSON for each, in order.
struct SimulateCommand {
  static let row = CommandRow(
    name: "simulate", summary: "say the verdict of each packet, one line of JSON per packet",
    operands: [], options: [.ruleset, .live, .packets, .host], formats: [.json],
    examples: [
      ("portproof simulate --ruleset fw.json --packets packets.jsonl", "packets of a file"),
      ("portproof simulate --live --packets /dev/stdin", "packets of a pipe"),
    ])

  let arguments: ParsedArguments
  let console: Console

  func run() throws(Diagnostic) -> RunStatus {
    guard let packetFile = arguments[.packets] else {
      throw Diagnostic(
        "usage.missing-option", .error, "'simulate' needs packets", at: nil,
        help: "--packets FILE, with one JSON object per line")
    }
    guard arguments.has(.live) != arguments.has(.ruleset) else {
      throw Diagnostic(
        "usage.missing-option", .error, "'simulate' needs one ruleset", at: nil,
        help: "either --ruleset FILE or --live")
    }
    let ruleset: Ruleset
    do throws(Stop) {
      var sources = SourceMap()
      var loading = FirewallLoading(console: console)
      if let path = arguments[.ruleset] {
        ruleset = try loading.nft(path, at: nil, sources: &sources).ruleset
      } else {
        ruleset = try loading.live(at: nil, sources: &sources).ruleset
      }
    } catch {
      return error.status
    }
    var run = SimulateRun(ruleset, host: try Self.host(arguments))
    try answer(try Self.bytes(of: packetFile), named: packetFile, with: &run)
    return .holds
  }

  /// The host that whole ways are asked on.
  static func host(_ arguments: ParsedArguments) throws(Diagnostic) -> Host? {
    guard let path = arguments[.host] else { return nil }
    let bytes = try bytes(of: path)
    do throws(SimulationInputError) {
      return try Host(reading: bytes)
    } catch {
      throw Diagnostic("simulate.wrong-host", .error, "\(path): \(error)", at: nil)
    }
  }

  private static func bytes(of path: String) throws(Diagnostic) -> [UInt8] {
    do throws(Errno) {
      return try Files.read(path)
    } catch {
      throw Diagnostic(
        "simulate.unreadable", .error, "cannot read '\(path)': \(error)", at: nil)
    }
  }

  /// Answers every line; what is answered before a wrong line is written.
  private func answer(
    _ packets: [UInt8], named name: String, with run: inout SimulateRun
  ) throws(Diagnostic) {
    var answers: [UInt8] = []
    var wrong: Diagnostic?
    var number = 0
    for line in packets.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    {
      number += 1
      if line.allSatisfy({ " \t\r".utf8.contains($0) }) { continue }
      do throws(SimulationInputError) {
        answers += try run.answer(Array(line))
        answers.append(UInt8(ascii: "\n"))
      } catch {
        wrong = Diagnostic(
          "simulate.wrong-packet", .error, "\(name):\(number): \(error)", at: nil)
        break
      }
      if answers.count > Self.chunk, arguments[.output] == nil {
        try console.write(answers)
        answers.removeAll(keepingCapacity: true)
      }
    }
    if !answers.isEmpty || arguments[.output] != nil { try console.write(answers) }
    if let wrong { throw wrong }
  }

  private static let chunk = 1 << 18
}
