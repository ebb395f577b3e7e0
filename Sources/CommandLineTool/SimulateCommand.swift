internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Rulesets
internal import Simulation

/// `simulate`: the verdicts of packets, one line of JSON for each, in order.
struct SimulateCommand {
  static let row = CommandRow(
    name: "simulate", summary: "say the verdict of each packet, one line of JSON per packet",
    operands: [], options: [.ruleset, .live, .packets, .pcap, .iif, .host],
    formats: [.json],
    examples: [
      ("portproof simulate --ruleset fw.json --packets packets.jsonl", "packets of a file"),
      ("portproof simulate --live --packets /dev/stdin", "packets of a pipe"),
      (
        "portproof simulate --ruleset fw.json --host host.json --pcap eth0.pcap --iif eth0",
        "packets of a capture"
      ),
    ])

  let arguments: ParsedArguments
  let console: Console

  func run() throws(Diagnostic) -> RunStatus {
    let packets = try packetSource()
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
    let host = try Self.host(arguments)
    var run = SimulateRun(ruleset, host: host)
    switch packets {
    case .lines(let path): try answer(try Self.bytes(of: path), named: path, with: &run)
    case .capture(let path, let input):
      try answer(CaptureQuestions(path: path, input: input, host: host), with: &run)
    }
    return .holds
  }

  private enum PacketSource {
    case lines(String)
    case capture(path: String, input: InterfaceName?)
  }

  private func packetSource() throws(Diagnostic) -> PacketSource {
    switch (arguments[.packets], arguments[.pcap]) {
    case (let path?, nil):
      guard !arguments.has(.iif) else {
        throw Diagnostic(
          "usage.superfluous-option", .error, "'--iif' is for packets of '--pcap'", at: nil,
          help: "a line of '--packets' says it itself: \"iif\": \"eth0\"")
      }
      return .lines(path)
    case (nil, let path?):
      let name = arguments[.iif]
      let input = name.flatMap { InterfaceName($0) }
      if let name, input == nil || name.isEmpty {
        throw Diagnostic(
          "usage.wrong-value", .error, "'--iif' cannot be '\(name)'", at: nil,
          help: "the name of an interface has at most 15 bytes")
      }
      return .capture(path: path, input: input)
    case (nil, nil), (_?, _?):
      throw Diagnostic(
        "usage.missing-option", .error, "'simulate' needs packets of one file", at: nil,
        help: "either --packets FILE, with one JSON object per line, or --pcap FILE, a capture")
    }
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
    var lines = AnswerLines(console: console, isWrittenAtOnce: arguments[.output] != nil)
    var wrong: Diagnostic?
    var number = 0
    for line in packets.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    {
      number += 1
      if line.allSatisfy({ " \t\r".utf8.contains($0) }) { continue }
      let answer: [UInt8]
      do throws(SimulationInputError) {
        answer = try run.answer(Array(line))
      } catch {
        wrong = Diagnostic(
          "simulate.wrong-packet", .error, "\(name):\(number): \(error)", at: nil)
        break
      }
      try lines.append(answer)
    }
    try lines.finish()
    if let wrong { throw wrong }
  }
}
