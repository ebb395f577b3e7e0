internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Scenarios
internal import TalosFrontend

/// `derive`: a machine configuration of Talos as a scenario file of which every line holds.
struct DeriveCommand {
  static let row = CommandRow(
    name: "derive", summary: "print a scenario file that says what a Talos configuration allows",
    operands: [
      .init(
        name: "PATH", value: .file, isRequired: true, isRepeatable: false,
        help: "the machine configuration")
    ],
    options: [.from, .with], formats: [.terminal],
    examples: [
      (
        "portproof derive --from talos controlplane.yaml --with node=10.0.0.1,fd00::1",
        "what reaches this node; `portproof check` proves every line"
      ),
      (
        "portproof derive --from talos worker.yaml --with patch=accept.yaml --output worker.scn",
        "with a patch, into a file"
      ),
    ])

  let arguments: ParsedArguments
  let console: Console

  /// Runs the command.
  ///
  /// - Returns: The exit status: 3 where the file does not say all that it is about.
  /// - Throws: A diagnostic where a word of the command line is wrong, or the file cannot be written.
  func run() throws(Diagnostic) -> RunStatus {
    let operand = try FirewallOperand.ofKindNamed(
      in: arguments, for: Self.row, help: "--from talos")
    guard operand.kind == .talos else {
      throw Diagnostic(
        "usage.nothing-to-derive", .error,
        "lines are derived from machine configurations of Talos, "
          + "not from kind '\(operand.kind.rawValue)'",
        at: nil,
        help: operand.kind == .talosChains
          ? "a node's chains do not name their rules: take the configuration that they are made of"
          : "--from talos")
    }
    var sources = SourceMap()
    let options = try WithOption.options(arguments.all(.with), for: operand, &sources)
    let derived: DerivedScenario
    do throws(Stop) {
      let loading = FirewallLoading(console: console)
      let question = try operand.question(options, loading, sources)
      let origin = try origin(of: question, options)
      let configuration = try loading.machineConfiguration(question, sources: &sources)
        .configuration
      derived = DerivedScenario(of: configuration, from: origin)
    } catch {
      return error.status
    }
    try console.write(derived.text)
    if !options.contains(where: { $0.name == FirewallOption.node.rawValue }) {
      console.say(
        Diagnostic(
          "derive.no-node", .note, "the node's addresses are not known; others stand for them",
          at: nil, help: "for example --with node=10.0.0.1,fd00::1"))
    }
    for gap in derived.gaps {
      console.say(Diagnostic("derive.gap", .warning, "not all is said: \(gap)", at: nil))
    }
    return derived.gaps.isEmpty ? .holds : .notKnown
  }

  private func origin(
    of question: TalosQuestion, _ options: [FirewallDeclaration.Option]
  ) throws(Stop) -> DerivedScenario.Origin {
    var node: AddressSet?
    for option in options where option.name == FirewallOption.node.rawValue {
      if case .addresses(let addresses) = option.value { node = addresses }
    }
    if let node, !node.intersection(DerivedScenario.resolver).isEmpty {
      throw console.stop(
        Diagnostic(
          "derive.not-of-the-node", .error,
          "no node is told by an address of Talos' own resolver, which every node has", at: nil,
          help: "name the other addresses of the node"))
    }
    var own = DerivedScenario.placeholder
    if node != nil {
      own = if case .known(let addresses) = question.nodeAddresses { addresses } else { [] }
    }
    let paths = question.files.map { Self.path($0.path, asSeenFrom: arguments[.output]) }
    return DerivedScenario.Origin(
      path: paths[0], patches: Array(paths.dropFirst()), version: question.version, node: node,
      ownAddresses: own)
  }

  /// How a scenario file names another: from its own folder.
  ///
  /// - Parameters:
  ///   - path: A path from the current folder.
  ///   - file: The scenario file, from the current folder; nil for one in it.
  /// - Returns: A path from the folder of the scenario file, or from the root.
  static func path(_ path: String, asSeenFrom file: String?) -> String {
    guard let file, file.contains("/"), !path.hasPrefix("/") else { return path }
    let folder = PathText.normalized(file).split(separator: "/").dropLast()
    let parts = PathText.normalized(path).split(separator: "/")
    guard !file.hasPrefix("/"), folder.first != "..", parts.first != ".." else {
      return Machine.absolutePath(path).map { PathText.normalized($0) } ?? path
    }
    let shared = zip(folder, parts.dropLast()).prefix { $0 == $1 }.count
    let up = Array(repeating: Substring(".."), count: folder.count - shared)
    return (up + parts.dropFirst(shared)).joined(separator: "/")
  }
}
