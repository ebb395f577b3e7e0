internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Netfilter
internal import NftablesFrontend
internal import Rulesets
internal import Scenarios

/// Reads the firewalls of a plan: each kind by its front-end.
struct FirewallLoading {
  let console: Console
  var read: [String: Reading] = [:]
  /// What the rulesets were read from, by the names of their declarations: nft commands, or a
  /// listing in JSON.
  private(set) var originals: [String: [UInt8]] = [:]
  /// What of them was read from machine configurations of Talos, by the same names.
  private(set) var talosFirewalls: [String: TalosFirewall] = [:]

  /// A ruleset and what it was read from.
  struct Reading {
    var ruleset: Ruleset
    var original: [UInt8]
    var talos: TalosFirewall?
  }

  init(console: Console) { self.console = console }

  /// Gives a plan the firewalls that the command line names.
  ///
  /// `--firewall NAME=KIND:PATH` reads a firewall of the plan from elsewhere. A plan without any is
  /// guarded by `--ruleset` everywhere, or else by the live ruleset on this machine.
  ///
  /// - Throws: ``Stop`` where a name or a kind is wrong.
  func place(
    _ arguments: ParsedArguments, in plan: inout ScenarioPlan, sources: inout SourceMap
  ) throws(Stop) {
    for text in arguments.all(.firewall) {
      do throws(Diagnostic) {
        try override(text, in: &plan, sources: &sources)
      } catch {
        throw console.stop(error, sources: sources)
      }
    }
    if arguments.has(.live), arguments.has(.ruleset) {
      throw console.stop(
        Diagnostic(
          "usage.two-rulesets", .error, "--ruleset and --live exclude each other", at: nil,
          help: "give one of them"))
    }
    if arguments.has(.live) || arguments.has(.ruleset), !plan.firewalls.isEmpty {
      throw console.stop(
        Diagnostic(
          "usage.firewalls-declared", .error, "the scenario says itself what its firewalls are",
          at: plan.firewalls.first.map { Diagnostic.Label($0.span, "declared here") },
          help: "read it from another place with --firewall "
            + "\(plan.firewalls.first?.name ?? "NAME")=KIND:PATH"), sources: sources)
    }
    guard plan.firewalls.isEmpty else { return }
    let path = arguments[.ruleset]
    let span = commandLineSpan(path.map { "--ruleset \($0)" } ?? "--live", &sources)
    plan.firewalls.append(
      FirewallDeclaration(
        name: path.map(Self.lastComponent) ?? "live", kind: path == nil ? "live" : "nft",
        kindSpan: span, path: path, pathSpan: path == nil ? nil : span,
        placement: .on(path == nil ? ScenarioLoading.ownAddresses : .any), options: [],
        span: span))
  }

  /// Reads all firewalls of a plan, each file once.
  ///
  /// - Returns: The rulesets, by the names of their declarations.
  /// - Throws: ``Stop`` where one cannot be read; the others are read and told of before.
  mutating func rulesets(
    of plan: ScenarioPlan, sources: inout SourceMap
  ) throws(Stop) -> [String: Ruleset] {
    var rulesets: [String: Ruleset] = [:]
    var stop: Stop?
    for declaration in plan.firewalls {
      do throws(Stop) {
        let reading = try reading(of: declaration, on: plan.hosts, sources: &sources)
        rulesets[declaration.name] = reading.ruleset
        originals[declaration.name] = reading.original
        talosFirewalls[declaration.name] = reading.talos
      } catch {
        stop = stop ?? error
      }
    }
    if let stop { throw stop }
    return rulesets
  }

  private mutating func reading(
    of declaration: FirewallDeclaration, on hosts: [HostDeclaration], sources: inout SourceMap
  ) throws(Stop) -> Reading {
    guard let kind = FirewallKind(rawValue: declaration.kind) else {
      throw unknownKind(declaration.kind, at: declaration.kindSpan, sources)
    }
    switch kind {
    case .live:
      return try live(at: Diagnostic.Label(declaration.kindSpan), sources: &sources)
    case .nft:
      let file = try file(of: declaration, sources)
      return try nft(file.path, at: file.place, help: file.help, sources: &sources)
    case .talos:
      let file = try file(of: declaration, sources)
      var question = TalosQuestion(
        files: [file], nodeAddresses: nodeAddresses(of: declaration, on: hosts))
      for option in declaration.options { try question.take(option, console, sources) }
      return try talos(question, sources: &sources)
    case .talosChains:
      return try talosChains(
        try file(of: declaration, sources), of: declaration, on: hosts, sources: &sources)
    case .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox:
      throw unknownKind(declaration.kind, at: declaration.kindSpan, sources)
    }
  }

  /// A file that a declaration names, and what to tell where it is not there.
  private func file(
    of declaration: FirewallDeclaration, _ sources: SourceMap
  ) throws(Stop) -> NamedFile {
    guard let path = declaration.path else {
      throw console.stop(
        Diagnostic(
          "firewall.no-path", .error, "a firewall of kind '\(declaration.kind)' needs a file",
          at: Diagnostic.Label(declaration.kindSpan)), sources: sources)
    }
    return NamedFile(path, at: declaration.pathSpan ?? declaration.kindSpan, sources)
  }

  private func unknownKind(
    _ kind: String, at span: SourceSpan, _ sources: SourceMap
  ) -> Stop {
    let kinds = FirewallKind.allCases.filter { $0.support != .notYet }.map { "'\($0.rawValue)'" }
    return console.stop(
      Diagnostic(
        "firewall.unknown-kind", .error, "firewalls of kind '\(kind)' cannot be read",
        at: Diagnostic.Label(span), help: "the kinds are \(kinds.joined(separator: ", "))"),
      sources: sources)
  }

  /// The ruleset in force.
  ///
  /// - Throws: ``Stop`` where it cannot be read, which has been told.
  mutating func live(
    at place: Diagnostic.Label?, sources: inout SourceMap
  ) throws(Stop) -> Reading {
    if let reading = read["live:"] { return reading }
    let listing: LibnftablesReader.Listing
    do throws(NetfilterError) {
      listing = try LibnftablesReader().listLive()
    } catch {
      throw environment(error, at: place, sources)
    }
    let ruleset = try lower(listing, name: "<live ruleset>", sources: &sources)
    let reading = Reading(ruleset: ruleset, original: listing.json)
    read["live:"] = reading
    return reading
  }

  /// A file: nft's JSON, or text in nft's language, whichever it is.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - place: Where it is named, if the user's files or the command line name it.
  ///   - help: What the reader can do where there is no such file; nil for a path that is relative
  ///     to the folder that the tool runs in.
  ///   - sources: Takes the file.
  /// - Returns: The ruleset, whose rules point into the file.
  /// - Throws: ``Stop`` where it cannot be read, which has been told.
  mutating func nft(
    _ path: String, at place: Diagnostic.Label?, help: String? = nil, sources: inout SourceMap
  ) throws(Stop) -> Reading {
    if let reading = read[path] { return reading }
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try Files.read(path)
    } catch {
      throw console.stop(
        Diagnostic(
          "firewall.unreadable", .error, "cannot read '\(path)': \(error)", at: place,
          help: help ?? (path.hasPrefix("/") ? nil : Self.commandLineHelp)), sources: sources)
    }
    let reading: Reading
    let first = bytes.first { !" \t\r\n".utf8.contains($0) }
    if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
      reading = Reading(
        ruleset: try lower(bytes, name: path, sources: &sources), original: bytes)
    } else {
      reading = try text(path, bytes, at: place, sources: &sources)
    }
    read[path] = reading
    return reading
  }

  private func text(
    _ path: String, _ bytes: [UInt8], at place: Diagnostic.Label?, sources: inout SourceMap
  ) throws(Stop) -> Reading {
    // The text is the first file that the reader adds.
    let file = sources.files.count
    let translation: LibnftablesReader.Translation
    do throws(NetfilterError) {
      translation = try LibnftablesReader().translate(path, into: &sources)
    } catch {
      throw environment(error, at: place, sources)
    }
    switch translation {
    case .loaded(let listing):
      if !listing.madeUpInterfaces.isEmpty {
        let names = listing.madeUpInterfaces.map { "'\($0)'" }.joined(separator: ", ")
        console.say(
          Diagnostic(
            "nft.made-up-interfaces", .note,
            "'\(path)' names interfaces by index; they were made up to load it: \(names)",
            at: nil))
      }
      var ruleset = try lower(listing, name: "<\(path), as listed>", sources: &sources)
      let rules = NftTextRules(inFile: file, of: &sources) { included(by: path, $0) }
      rules.cite(in: &ruleset)
      doubtTranslations(in: &ruleset, ofFile: file, sources)
      // What other files hold is in the listing alone.
      let includes = bytes.split(separator: UInt8(ascii: "\n")).contains { line in
        line.drop { " \t".utf8.contains($0) }.starts(with: "include".utf8)
      }
      return Reading(ruleset: ruleset, original: includes ? listing.json : bytes)
    case .rejected(let diagnostics):
      for diagnostic in diagnostics { console.say(diagnostic, sources: sources) }
      throw Stop(status: .unusable, reason: "nft does not load '\(path)'")
    }
  }

  /// A saved text of a host of iptables-nft may say less than the host does.
  private func doubtTranslations(
    in ruleset: inout Ruleset, ofFile file: Int, _ sources: SourceMap
  ) {
    let tables = XtablesText.tables(of: ruleset, in: sources[file].bytes)
    guard !tables.isEmpty else { return }
    XtablesText.doubt(tables: tables, in: &ruleset)
    console.say(
      Diagnostic(
        "nft.translated-text", .warning,
        "'\(sources[file].name)' has tables of iptables-nft: \(tables.joined(separator: ", "))",
        at: nil,
        notes: ["nft leaves out of its text what it cannot say of an extension of iptables"],
        help: "run there with --live, which sees what is left out"))
  }

  /// The files that nft text includes by a name or a pattern, found where nft finds them: names
  /// without a folder first in the folder of the file that was given, then in `/etc`.
  ///
  /// - Returns: The files, in order; nil where one cannot be read.
  private func included(by path: String, _ name: String) -> [SourceFile]? {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    var patterns = [name.hasPrefix("/") ? name : folder + name]
    if !["/", "./", "../"].contains(where: { name.hasPrefix($0) }) {
      patterns.append("/etc/" + name)
    }
    for pattern in patterns {
      guard let paths = Files.matching(pattern) else { return nil }
      if paths.isEmpty { continue }
      var files: [SourceFile] = []
      for path in paths {
        guard let bytes = try? Files.read(path) else { return nil }
        files.append(SourceFile(name: PathText.normalized(path), bytes: bytes))
      }
      return files
    }
    // Only a pattern may stand for nothing.
    return name.contains { "*?[".contains($0) } ? [] : nil
  }

  private func lower(
    _ listing: LibnftablesReader.Listing, name: String, sources: inout SourceMap
  ) throws(Stop) -> Ruleset {
    for remark in listing.remarks {
      console.say(Diagnostic("nft.remark", .warning, "nft: \(remark)", at: nil))
    }
    return try lower(
      listing.json, text: listing.text, bytecode: listing.bytecode, name: name, sources: &sources)
  }

  private func lower(
    _ json: [UInt8], text: [UInt8]? = nil, bytecode: [UInt8]? = nil, name: String,
    sources: inout SourceMap
  ) throws(Stop) -> Ruleset {
    let reading = NftablesReader.read(
      json, name: name, sources: &sources, text: text, bytecode: bytecode,
      retelling: Self.retold)
    for diagnostic in reading.diagnostics { console.say(diagnostic, sources: sources) }
    guard let ruleset = reading.ruleset else {
      throw Stop(status: .unusable, reason: "cannot make sense of \(name)")
    }
    return ruleset
  }

  /// What libnftables on this machine makes of parts of a ruleset.
  private static func retold(_ commands: [(part: Int, text: String)]) -> NftRetold {
    do throws(NetfilterError) {
      return .listing(try LibnftablesReader().retell(commands).json)
    } catch {
      return .failed(reason: error.description)
    }
  }

  private func environment(
    _ error: NetfilterError, at place: Diagnostic.Label?, _ sources: SourceMap
  ) -> Stop {
    let status: RunStatus =
      switch error {
      case .unreadable, .rejected, .tooLarge: .unusable
      case .notPrivileged, .namespaceRefused, .crashed, .timedOut, .childFailed: .notKnown
      }
    return console.stop(
      Diagnostic("firewall.unreadable", .error, error.description, at: place, help: error.help),
      status, sources: sources)
  }

  private func override(
    _ text: String, in plan: inout ScenarioPlan, sources: inout SourceMap
  ) throws(Diagnostic) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
      throw Diagnostic(
        "usage.wrong-firewall", .error, "'--firewall \(text)' is not NAME=KIND:PATH", at: nil,
        help: "for example --firewall edge=nft:edge.json, or --firewall host=live")
    }
    let name = String(parts[0])
    guard
      let index = plan.firewalls.firstIndex(where: { $0.name.lowercased() == name.lowercased() })
    else {
      let names = plan.firewalls.map(\.name)
      throw Diagnostic(
        "usage.unknown-firewall", .error, "the scenario has no firewall '\(name)'", at: nil,
        help: Suggestion.nearest(to: name, among: names).map { "did you mean '\($0)'?" })
    }
    let place = parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let span = commandLineSpan("--firewall \(text)", &sources)
    plan.firewalls[index].kind = place[0].lowercased()
    leaveOptionsOut(of: &plan.firewalls[index], sources)
    plan.firewalls[index].kindSpan = span
    plan.firewalls[index].path = place.count == 2 ? String(place[1]) : nil
    plan.firewalls[index].pathSpan = place.count == 2 ? span : nil
  }

  /// Leaves out what stands after `with` and is nothing for the kind that takes the other's place.
  private func leaveOptionsOut(
    of declaration: inout FirewallDeclaration, _ sources: SourceMap
  ) {
    guard let kind = FirewallKind(rawValue: declaration.kind) else { return }
    declaration.options.removeAll { option in
      guard
        let known = FirewallOption(rawValue: option.name).flatMap({
          kind.options.contains($0) ? $0 : nil
        }), known.value(of: kind).takes(option.value)
      else {
        console.say(
          Diagnostic(
            "firewall.option-left-out", .note,
            "'with \(option.name)' says nothing of a firewall of kind '\(kind.rawValue)'",
            at: Diagnostic.Label(option.span)), sources: sources)
        return true
      }
      return false
    }
  }

  /// A span for something that stands on the command line.
  private func commandLineSpan(_ text: String, _ sources: inout SourceMap) -> SourceSpan {
    let file = sources.add(SourceFile(name: Self.commandLine, bytes: Array(text.utf8)))
    return SourceSpan(file: file, lower: 0, upper: text.utf8.count)
  }

  static let commandLine = "<command line>"
  static let commandLineHelp =
    "paths on the command line are relative to the current folder"

  private static func lastComponent(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}

extension FirewallOption.Value {
  fileprivate func takes(_ value: FirewallDeclaration.Option.Value) -> Bool {
    switch (self, value) {
    case (.text, .text), (.addresses, .addresses), (.addressesOrText, .text),
      (.addressesOrText, .addresses):
      true
    case (.text, _), (.addresses, _), (.addressesOrText, _): false
    }
  }
}
