internal import Scenarios

/// Every option of the tool, under the name the user writes after `--`.
enum OptionName: String, Hashable, Sendable, CaseIterable {
  case agents
  case assignment
  case bundle
  case canary
  case capture
  case check
  case color
  case dryRun = "dry-run"
  case duration = "for"
  case failOn = "fail-on"
  case firewall
  case format
  case from
  case help
  case host
  case iif
  case inconclusive
  case junitProfile = "junit-profile"
  case key
  case live
  case newKey = "new-key"
  case noProgress = "no-progress"
  case only
  case output
  case packet
  case packets
  case pcap
  case quiet
  case rate
  case replay
  case replayPackets = "replay-packets"
  case report
  case ruleset
  case verbose
  case version
  case with
}

/// What an option or an operand takes.
enum ValueKind: Hashable, Sendable {
  /// Nothing: the option is there or not.
  case none
  /// The name of a file.
  case file
  /// The name of a folder.
  case folder
  /// A whole number in a range.
  case number(ClosedRange<Int>)
  /// One of these words.
  case oneOf([String])
  /// One of the command's formats.
  case format
  /// One of the command's formats, `=`, and the name of a file.
  case formatAndFile
  /// Text, called so in the help.
  case text(String)
}

/// One row of the table of options.
struct OptionRow: Sendable {
  let name: OptionName
  let value: ValueKind
  var isRepeatable = false
  /// What it does, in one phrase.
  let help: String
}

extension OptionName {
  /// The option's row: its value and its help, the same in every command that has it.
  var row: OptionRow {
    switch self {
    case .agents:
      OptionRow(
        name: self, value: .file,
        help: "how to reach the hosts that have an `agent`: names, each with the words of a command"
      )
    case .assignment:
      OptionRow(
        name: self, value: .file,
        help: "what to answer, as a line of JSON; -: standard input, then commands")
    case .bundle:
      OptionRow(
        name: self, value: .folder,
        help: "where to put what reproduces a disagreement (default: portproof-mismatch)")
    case .canary:
      OptionRow(
        name: self, value: .text("PORT/PROTOCOL"), isRepeatable: true,
        help: "what every target certainly allows, asked as a sign of life: 22/tcp, icmp")
    case .capture:
      OptionRow(
        name: self, value: .folder,
        help: "capture every packet of the run, and write pcapng files into this folder")
    case .check:
      OptionRow(
        name: self, value: .none, help: "change nothing: only name the files that would change")
    case .color:
      OptionRow(
        name: self, value: .oneOf(["auto", "always", "never"]),
        help: "colour: on a terminal unless NO_COLOR is set (auto), always or never")
    case .dryRun:
      OptionRow(name: self, value: .none, help: "show what would be sent, and send nothing")
    case .duration:
      OptionRow(
        name: self, value: .text("TIME"), help: "end after this time: 90s, 5m, 1h (default: 60s)")
    case .failOn:
      OptionRow(
        name: self, value: .oneOf(["info", "low", "medium", "high", "critical"]),
        help: "only lines of this severity or above make the exit status 1 or 3")
    case .firewall:
      OptionRow(
        name: self, value: .text("NAME=KIND:PATH"), isRepeatable: true,
        help: "read the firewall NAME of the scenario from another place")
    case .format:
      OptionRow(name: self, value: .format, help: "the format on standard output")
    case .from:
      OptionRow(
        name: self,
        value: .oneOf(FirewallKind.allCases.filter { $0.support != .notYet }.map(\.rawValue)),
        help: "the kind of firewall that PATH is")
    case .help: OptionRow(name: self, value: .none, help: "show this help")
    case .host:
      OptionRow(
        name: self, value: .file, help: "interfaces, routes and settings of the host, as JSON")
    case .iif:
      OptionRow(
        name: self, value: .text("NAME"),
        help: "where captured packets came in, if the file does not say it")
    case .inconclusive:
      OptionRow(
        name: self, value: .oneOf(["fail", "error", "pass"]),
        help: "what lines that are not known make of the exit status: 1, 3 (default) or nothing")
    case .junitProfile:
      OptionRow(
        name: self, value: .oneOf(["modern", "strict"]),
        help: "JUnit as today's readers like it (default), or valid by both published schemas")
    case .key:
      OptionRow(
        name: self, value: .file,
        help: "the key that both ends of a run share: 64 hexadecimal digits, readable by you alone")
    case .live:
      OptionRow(name: self, value: .none, help: "use the ruleset that is in force on this machine")
    case .newKey:
      OptionRow(
        name: self, value: .file, help: "make a key for the run, as a new file for you alone")
    case .noProgress: OptionRow(name: self, value: .none, help: "draw no progress")
    case .only:
      OptionRow(
        name: self, value: .text("TAG"), isRepeatable: true,
        help: "only lines that carry one of these tags")
    case .output:
      OptionRow(
        name: self, value: .file, help: "write the output to this file instead of standard output")
    case .packet: OptionRow(name: self, value: .text("JSON"), help: "one exact packet")
    case .packets: OptionRow(name: self, value: .file, help: "packets, one JSON object per line")
    case .pcap:
      OptionRow(name: self, value: .file, help: "packets of a capture, in a pcap or pcapng file")
    case .quiet: OptionRow(name: self, value: .none, help: "say nothing about what is in order")
    case .rate:
      OptionRow(
        name: self, value: .text("N|max"),
        help: "packets a second to each target (default: 1000), or as fast as they are taken")
    case .replay:
      OptionRow(
        name: self, value: .none,
        help: "put packets of each answer to this machine's kernel, in a throw-away namespace")
    case .replayPackets:
      OptionRow(
        name: self, value: .number(1...10_000),
        help: "the most packets that are replayed of one line (default: 16)")
    case .report:
      OptionRow(
        name: self, value: .formatAndFile, isRepeatable: true, help: "write a report besides")
    case .ruleset:
      OptionRow(
        name: self, value: .file,
        help: "a ruleset: output of `nft -j list ruleset`, or nft text")
    case .verbose: OptionRow(name: self, value: .none, help: "one line for every line that holds")
    case .version: OptionRow(name: self, value: .none, help: "show the version")
    case .with:
      OptionRow(
        name: self, value: .text("NAME=VALUE"), isRepeatable: true,
        help: "what a file does not say, as after `with` in a scenario (diff: old.NAME, new.NAME)")
    }
  }
}
