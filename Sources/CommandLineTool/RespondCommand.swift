internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Probing
internal import Scenarios

/// `respond`: the far end of a probe, which listens where it is told and answers one run alone.
struct RespondCommand {
  static let row = CommandRow(
    name: "respond", summary: "listen for the probes of one run, answer nobody else, then end",
    operands: [.scenarios],
    options: [.host, .key, .newKey, .duration, .capture, .assignment], formats: [.json],
    optionInPlaceOfOperands: .assignment,
    ownForms: [
      OptionRow(
        name: .host, value: .text("NAME"),
        help: "the host of the file that this machine is (default: by its addresses)")
    ],
    examples: [
      (
        "portproof respond cluster.scn --new-key run.key --for 5m",
        "for every line that ends at this machine; the prober is given run.key"
      ),
      (
        "portproof respond --assignment -",
        "as the prober starts it: what to answer comes by standard input"
      ),
    ])

  let arguments: ParsedArguments
  let console: Console

  /// Runs the command.
  ///
  /// - Returns: The exit status: 2 where it is told what makes no sense, 3 where not all that was
  ///   asked for could be bound.
  /// - Throws: A diagnostic where the command line is wrong.
  func run() throws(Diagnostic) -> RunStatus {
    guard let word = arguments[.assignment] else { return try runForScenario() }
    for option in [OptionName.host, .key, .newKey, .duration] where arguments.has(option) {
      throw Diagnostic(
        "usage.superfluous-option", .error,
        "'--\(option.rawValue)' is not for '--assignment', which says it itself", at: nil)
    }
    do throws(Errno) {
      var input = DrivingInput(
        try word == "-" ? StandardStream.input.duplicate() : Descriptor(reading: word))
      let assignment: Assignment
      do throws(Assignment.Problem) {
        assignment = try Self.assignment(from: &input)
      } catch {
        try tell(.error(error.description))
        return .unusable
      }
      guard word == "-" else { return try serve(assignment, driven: nil) }
      return try serve(assignment, driven: input)
    } catch {
      throw Diagnostic("respond.failed", .error, "cannot respond: \(error)", at: nil)
    }
  }

  private static func assignment(
    from input: inout DrivingInput
  ) throws(Assignment.Problem) -> Assignment {
    let line: [UInt8]?
    do throws(Errno) {
      line = try input.line()
    } catch {
      throw Assignment.Problem("cannot read the assignment: \(error)")
    }
    guard let line else { throw Assignment.Problem("there is no assignment: the input has ended") }
    return try Assignment(reading: line)
  }

  private func tell(_ event: ResponderEvent) throws(Errno) {
    try output().write(event.json + [UInt8(ascii: "\n")])
  }

  private func output() throws(Errno) -> Descriptor {
    guard let path = arguments[.output] else { return try StandardStream.output.duplicate() }
    return try Descriptor(creating: path)
  }

  private func serve(
    _ assignment: Assignment, driven input: consuming DrivingInput?
  ) throws(Errno) -> RunStatus {
    var file: String?
    if let folder = arguments[.capture] {
      try Files.makeFolders(folder)
      file = folder + "/respond.pcapng"
    }
    let isDriven = arguments.has(.assignment)
    var responder = try Responder(
      assignment, output: try output(), input: input, capture: file, isConfined: true)
    // The thread that waits for signals has no more than this one.
    try Interruption.watch()
    let readiness = responder.readiness
    if !isDriven { say(readiness, assignment) }
    let ending = responder.serve()
    if !isDriven { say(ending) }
    switch ending.reason {
    case .elapsed, .stopped, .inputEnded: return readiness.refusals.isEmpty ? .holds : .notKnown
    case .interrupted: return .interrupted
    case .misled: return .unusable
    case .failed: return .notKnown
    }
  }
}

// For the lines of scenario files.
extension RespondCommand {
  private func runForScenario() throws(Diagnostic) -> RunStatus {
    let duration = try arguments[.duration].map(Self.duration) ?? Assignment.defaultDuration
    var sources = SourceMap()
    let plan: ScenarioPlan
    do throws(Stop) {
      plan = try ScenarioLoading(console: console, tellsWarnings: false)
        .plan(arguments.operands, sources: &sources).plan
    } catch {
      return error.status
    }
    let key = try RunKeyFile.key(arguments, console)
    guard
      let wanted = Assignment.of(
        plan, at: try addresses(in: plan), key: key, duration: duration)
    else {
      throw Diagnostic(
        "respond.nothing-here", .error, "no line that is probed ends at this machine", at: nil,
        help: "`--host NAME` says which host of the file this machine is")
    }
    for omission in wanted.omissions {
      console.say(Diagnostic("respond.omission", .note, omission, at: nil))
    }
    do throws(Errno) {
      return try serve(wanted.assignment, driven: nil)
    } catch {
      throw Diagnostic("respond.failed", .error, "cannot respond: \(error)", at: nil)
    }
  }

  /// The addresses that this machine has, or those of the host that it is said to be.
  private func addresses(in plan: ScenarioPlan) throws(Diagnostic) -> AddressSet {
    guard let name = arguments[.host] else { return ScenarioLoading.ownAddresses }
    guard let host = plan.hosts.first(where: { $0.name == name }) else {
      throw Diagnostic(
        "respond.unknown-host", .error, "the file has no host '\(name)'", at: nil,
        help: plan.hosts.isEmpty
          ? nil : "it has \(plan.hosts.map { "'\($0.name)'" }.joined(separator: ", "))")
    }
    return host.addresses
  }

  /// `90`, `90s`, `5m` or `1h`.
  private static func duration(_ text: String) throws(Diagnostic) -> Duration {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
    let unit = text.last.flatMap { units[$0] }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard digits.utf8.count <= 6, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
      let number = Int(digits), 1...86400 ~= number * (unit ?? 1)
    else {
      throw Diagnostic(
        "usage.wrong-duration", .error, "'--for \(text)' is no time from one second to a day",
        at: nil, help: "for example --for 90s, --for 5m")
    }
    return .seconds(number * (unit ?? 1))
  }

  private func say(_ readiness: ResponderEvent.Readiness, _ assignment: Assignment) {
    let places = assignment.addresses.map(\.description).joined(separator: ", ")
    func note(_ code: Diagnostic.Code, _ severity: Diagnostic.Severity, _ message: String) {
      console.say(Diagnostic(code, severity, message, at: nil))
    }
    for (name, bound, taken) in [
      ("TCP", readiness.boundTCP, readiness.takenTCP),
      ("UDP", readiness.boundUDP, readiness.takenUDP),
    ] {
      if !bound.isEmpty {
        note(
          "respond.bound", .note, "listening on \(name) \(PortText.text(of: bound)) of \(places)")
      }
      if !taken.isEmpty {
        note(
          "respond.taken", .note,
          "left alone, as another program listens there: \(name) \(PortText.text(of: taken))")
      }
    }
    for refusal in readiness.refusals {
      note(
        "respond.refused", .warning,
        "cannot listen on \(refusal.transport.rawValue) \(PortText.text(of: refusal.ports)) of "
          + "\(refusal.address): \(refusal.reason)")
    }
    if let reason = readiness.blindBecause {
      note("respond.blind", .warning, "cannot see which packets arrive: \(reason)")
    }
    if let reason = readiness.captureTrouble { note("respond.capture", .warning, reason) }
  }

  private func say(_ ending: ResponderEvent.Ending) {
    console.say(
      Diagnostic(
        "respond.ended", .note,
        "\(ending.arrivals) packets of the run arrived, \(ending.acceptances) got through, "
          + "\(ending.replies) datagrams were answered", at: nil))
    if let reason = ending.captureTrouble {
      console.say(Diagnostic("respond.capture", .warning, reason, at: nil))
    }
  }
}
