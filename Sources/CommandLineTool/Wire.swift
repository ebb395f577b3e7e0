internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Probing
internal import Scenarios

/// What both ends of a run told.
struct Told {
  /// How packets were sent, and what that cannot tell.
  var means = "nothing was sent"
  /// Where this end's packets are; nil where they are not kept.
  var nearCapture: String?
  /// By probe, the numbers of its packets there.
  var packets: [Int: [Int]] = [:]
  /// By address, what the far end there told.
  var reports: [IPAddress: FarEndReport.Index] = [:]

  /// What the far end told of a probe; nil where nobody is there.
  func view(of probe: Probe) -> FarView? { reports[probe.destination]?.view(of: probe) }
}

/// The two ends of a run: sockets here, and whoever listens at the far ends.
final class Wire {
  private let console: Console
  private let captureFile: String?
  private let farEnds: FarEnds
  private var run: ProbeRun
  private(set) var told = Told()

  /// Opens everything that the probes need.
  ///
  /// - Throws: ``Stop`` where this machine or a far end cannot do its part.
  init(
    _ probes: [Probe], _ scenario: ScenarioPlan, _ options: ProbeOptions,
    arguments: ParsedArguments, console: Console, _ sources: SourceMap
  ) throws(Stop) {
    self.console = console
    captureFile = try options.captureFolder.map { folder throws(Stop) in
      try Self.makeFolder(folder, console)
      return folder + "/run.pcapng"
    }
    let means = ProbeRun.Means.best
    farEnds = FarEnds(console)
    do throws(ProbeRunError) {
      run = try ProbeRun(
        probes, key: options.key, rate: options.rate, means: means, capture: captureFile)
    } catch {
      throw Self.stop(error, console)
    }
    told.means =
      switch means {
      case .raw: "raw packets, answers captured before any rule of this machine"
      case .connect:
        "connect(2), without privileges: the kernel's own repetitions, answers after this"
          + " machine's rules"
      }
    told.nearCapture = captureFile
    try farEnds.start(
      scenario, probes, options.key, admitsConnect: means == .connect, options.agents,
      capturingInto: options.captureFolder, sources)
  }

  private static func makeFolder(_ folder: String, _ console: Console) throws(Stop) {
    do throws(Errno) {
      try Files.makeFolders(folder)
    } catch {
      throw console.stop(
        Diagnostic(
          "output.unwritable", .error, "cannot make the folder '\(folder)': \(error)", at: nil))
    }
  }

  private static func stop(_ error: ProbeRunError, _ console: Console) -> Stop {
    console.stop(
      Diagnostic("environment.probes", .error, error.description, at: nil, help: error.help),
      .notKnown)
  }

  /// Whether a target certainly sends as many ICMP errors as it wants to.
  func hearsAllErrors(_ target: IPAddress) -> Bool { farEnds.unlimited.contains(target) }

  /// Sends probes and waits for what comes back.
  func ask(
    _ questions: [ProbeCampaign.Question], progress: (RunProgress) -> Void
  ) throws(Stop) -> [Observation] {
    do throws(ProbeRunError) {
      return try run.ask(
        questions.map { ($0.index, $0.probe) }, progress: progress,
        isStopped: { Interruption.isRequested })
    } catch {
      throw Self.stop(error, console)
    }
  }

  /// By probe, what came when it was not asked any more.
  func lateAnswers() -> [Int: Observation.Answer] { run.lateAnswers }

  /// Hears what the far ends have to say, and ends them; writes the capture.
  func finish() throws(Stop) {
    told.reports = farEnds.finish()
    do throws(ProbeRunError) {
      told.packets = try run.finish()
    } catch {
      throw Self.stop(error, console)
    }
  }

  /// Ends the far ends of a run that came to nothing.
  func end() { farEnds.end() }
}
