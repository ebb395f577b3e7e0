internal import Diagnostics
internal import Documents
internal import LinuxKernel
internal import Netfilter
internal import Outcomes
internal import Replay

/// `doctor`: what this machine can do, and what to change where it cannot.
struct DoctorCommand {
  static let row = CommandRow(
    name: "doctor", summary: "say what this machine can do, and what to change where it cannot",
    operands: [], options: [], formats: [.terminal, .json],
    examples: [("portproof doctor", "libraries, capabilities and namespaces")])

  let arguments: ParsedArguments
  let console: Console

  func run() throws(Diagnostic) -> RunStatus {
    let findings = [liveReading, textReading, sandbox] + ProbeConditions.findings
    switch arguments[.format].flatMap(Format.init) ?? .terminal {
    case .json: try console.write(json(findings))
    case .terminal, .junit: try console.write(text(findings))
    }
    return findings.contains { $0.standing == .fails } ? .notKnown : .holds
  }

  /// Whether the ruleset in force can be read: by reading it.
  private var liveReading: DoctorFinding {
    let name = "live ruleset"
    do throws(NetfilterError) {
      let listing = try LibnftablesReader().listLive()
      return DoctorFinding(
        name: name, standing: .works, detail: "readable (\(listing.json.count) bytes of JSON)")
    } catch {
      return DoctorFinding(
        name: name, standing: .fails, detail: error.description, help: error.help)
    }
  }

  /// Whether nft text can be loaded in a throw-away namespace: by loading an empty one.
  private var textReading: DoctorFinding {
    let name = "nft text"
    var sources = SourceMap()
    do throws(NetfilterError) {
      switch try LibnftablesReader().translate("/dev/null", into: &sources) {
      case .loaded:
        let how = Machine.effectiveUserID == 0 ? "network" : "user and network"
        return DoctorFinding(
          name: name, standing: .works, detail: "loads in a throw-away \(how) namespace")
      case .rejected(let diagnostics):
        return DoctorFinding(
          name: name, standing: .fails,
          detail: diagnostics.first?.message ?? "libnftables refuses an empty ruleset")
      }
    } catch {
      return DoctorFinding(
        name: name, standing: .fails, detail: error.description, help: error.help)
    }
  }

  /// Whether answers can be put to the kernel: by putting two packets to it.
  private var sandbox: DoctorFinding {
    let name = "sandbox"
    guard let obstacle = SandboxProbe.obstacle() else {
      let user = Machine.effectiveUserID
      return DoctorFinding(
        name: name, standing: .works,
        detail: "the kernel takes rulesets and packets of "
          + (user == 0 ? "root" : "user \(user)") + " in a throw-away namespace")
    }
    return DoctorFinding(name: name, standing: .fails, detail: obstacle.reason, help: obstacle.help)
  }

  private func text(_ findings: [DoctorFinding]) -> String {
    var text = "portproof \(Tool.version), Linux \(Machine.kernelRelease)\n"
    for finding in findings {
      let word =
        switch finding.standing {
        case .works: console.outputStyle.styled("ok", .success)
        case .lessens: console.outputStyle.styled("! ", .warning)
        case .fails: console.outputStyle.styled("no", .error)
        }
      text += "\(word)  \(finding.name): \(finding.detail)\n"
      if let help = finding.help { text += "    help: \(help)\n" }
    }
    return text
  }

  private func json(_ findings: [DoctorFinding]) -> String {
    var writer = JSONWriter(.indented)
    writer.object { writer in
      writer.member("schema", "portproof.doctor/1")
      writer.member("version", Tool.version)
      writer.member("kernel", Machine.kernelRelease)
      writer.array("findings") { array in
        for finding in findings {
          array.object {
            $0.member("name", finding.name)
            $0.member("works", finding.standing != .fails)
            $0.member("standing", finding.standing.rawValue)
            $0.member("detail", finding.detail)
            if let help = finding.help { $0.member("help", help) } else { $0.null("help") }
          }
        }
      }
    }
    return writer.text + "\n"
  }
}
