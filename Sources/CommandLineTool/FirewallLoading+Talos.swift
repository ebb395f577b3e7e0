internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Rulesets
internal import Scenarios
internal import TalosFrontend

/// A file that something names.
struct NamedFile: Hashable {
  /// Where it is, seen from the current folder.
  var path: String
  /// Where it is named; nil for a word of the command line that no span stands for.
  var place: Diagnostic.Label?
  /// What to tell where there is no such file.
  var help: String?

  /// A file that the command line names.
  init(_ path: String) {
    self.path = path
    place = nil
    help = path.hasPrefix("/") ? nil : FirewallLoading.commandLineHelp
  }

  /// A file that a scenario names, or an option of the command line that a span stands for.
  init(_ path: String, at span: SourceSpan, _ sources: SourceMap) {
    let naming = sources[span.file].name
    place = Diagnostic.Label(span)
    guard naming != FirewallLoading.commandLine else {
      self.path = path
      help = path.hasPrefix("/") ? nil : FirewallLoading.commandLineHelp
      return
    }
    self.path = PathText.resolved(path, from: naming)
    help =
      path.hasPrefix("/")
      ? nil : "paths are relative to the folder of the file that names them"
  }
}

/// What to read of machine configurations, and how.
struct TalosQuestion: Hashable {
  var files: [NamedFile]
  var version = TalosVersion.standard
  var nodeAddresses = NodeAddresses.notKnown

  var options: TalosReader.Options {
    TalosReader.Options(version: version, nodeAddresses: nodeAddresses)
  }

  /// Takes what stands after `with`.
  ///
  /// - Throws: ``Stop`` where a version is none, which has been told.
  mutating func take(
    _ option: FirewallDeclaration.Option, _ console: Console, _ sources: SourceMap
  ) throws(Stop) {
    switch (FirewallOption(rawValue: option.name), option.value) {
    case (.version, .text(let text)):
      version = try TalosVersion(text, said: option.span, console, sources)
    case (.patch, .text(let path)):
      files.append(NamedFile(path, at: option.span, sources))
    case (.node, .addresses(let addresses)):
      nodeAddresses = addresses.members.map { .known($0) } ?? .notKnown
    case (.version, _), (.patch, _), (.node, _), (nil, _):
      preconditionFailure("the resolver lets no option through that a kind does not have")
    }
  }
}

extension TalosVersion {
  /// The version that an option says.
  ///
  /// - Throws: ``Stop`` where it is none, which has been told.
  init(
    _ text: String, said span: SourceSpan, _ console: Console, _ sources: SourceMap
  ) throws(Stop) {
    guard let version = TalosVersion(text) else {
      throw console.stop(
        Diagnostic(
          "talos.wrong-version", .error, "'\(text)' is no version of Talos",
          at: Diagnostic.Label(span), help: "for example 1.13, 1.12.5 or 1.14.0-rc.1"),
        sources: sources)
    }
    self = version
  }
}

extension FirewallLoading {
  /// The addresses of the nodes that a firewall stands on; not known where that is no list.
  ///
  /// One configuration serves several nodes, and each takes only its own addresses for its own. A
  /// packet that a node takes in is addressed to that node, so one list of all their addresses
  /// gives it the same answer as the node's own would.
  func nodeAddresses(
    of declaration: FirewallDeclaration, on hosts: [HostDeclaration]
  ) -> NodeAddresses {
    guard case .on(let placed) = declaration.placement else { return .notKnown }
    var addresses = placed
    for host in hosts where !host.addresses.intersection(placed).isEmpty {
      addresses = addresses.union(host.addresses)
    }
    return addresses.members.map { .known($0) } ?? .notKnown
  }

  /// The ruleset of a machine configuration and its patches.
  ///
  /// - Throws: ``Stop`` where a file cannot be read or is wrong, which has been told.
  mutating func talos(
    _ question: TalosQuestion, sources: inout SourceMap
  ) throws(Stop) -> Reading {
    let key = "talos:\(question.files.map(\.path)) \(question.version) \(question.nodeAddresses)"
    if let reading = read[key] { return reading }
    let (configuration, ruleset) = try machineConfiguration(question, sources: &sources)
    let firewall = TalosFirewall(
      configuration: configuration, options: question.options, files: question.files.map(\.path))
    let made = Reading(
      ruleset: ruleset, original: Array(RulesetPrinter().text(of: ruleset).utf8), talos: firewall)
    read[key] = made
    return made
  }

  /// A machine configuration with its patches, and its ruleset.
  ///
  /// - Throws: ``Stop`` where a file cannot be read or is wrong, which has been told.
  func machineConfiguration(
    _ question: TalosQuestion, sources: inout SourceMap
  ) throws(Stop) -> (configuration: MachineConfiguration, ruleset: Ruleset) {
    var files: [(name: String, bytes: [UInt8])] = []
    for file in question.files { files.append((file.path, try bytes(of: file, sources))) }
    let reading = TalosReader.read(files, options: question.options, sources: &sources)
    for diagnostic in reading.diagnostics { console.say(diagnostic, sources: sources) }
    guard let configuration = reading.configuration, let ruleset = reading.ruleset else {
      throw Stop(
        status: .unusable,
        reason: "cannot make sense of '\(question.files.first?.path ?? "")'")
    }
    return (configuration, ruleset)
  }
}

extension FirewallLoading {
  /// What a file holds.
  ///
  /// - Throws: ``Stop`` where it cannot be read, which has been told.
  func bytes(of file: NamedFile, _ sources: SourceMap) throws(Stop) -> [UInt8] {
    do throws(Errno) {
      return try Files.read(file.path)
    } catch {
      throw console.stop(
        Diagnostic(
          "firewall.unreadable", .error, "cannot read '\(file.path)': \(error)", at: file.place,
          help: file.help), sources: sources)
    }
  }
}

extension AddressSet {
  /// Every address that a link of a node may have, where these are few enough to list.
  ///
  /// Talos takes no link-local, loopback or multicast address for a node's own
  /// (internal/app/machined/pkg/controllers/network/node_address.go of Talos).
  var members: [IPAddress]? {
    var members: [IPAddress] = []
    for family in IPFamily.allCases {
      for interval in self[family].intervals {
        guard interval.span < 1_024, members.count < 1_024 else { return nil }
        for value in interval.lower...interval.upper
        where !AddressSet.unroutable[family].contains(value) {
          members.append(IPAddress(family, rawValue: value))
        }
      }
    }
    return members
  }

  /// Loopback, link-local and multicast addresses (RFC 6890; RFC 4291 §2.5 to §2.7).
  private static let unroutable = AddressSet(
    ipv4: IntervalSet([
      Interval(0x7F00_0000, 0x7FFF_FFFF), Interval(0xA9FE_0000, 0xA9FE_FFFF),
      Interval(0xE000_0000, 0xEFFF_FFFF),
    ]),
    ipv6: IntervalSet([
      Interval(0, 1), Interval(0xFE80 << 112, 0xFEBF << 112 | UInt128.max >> 16),
      Interval(0xFF << 120, .max),
    ]))
}
