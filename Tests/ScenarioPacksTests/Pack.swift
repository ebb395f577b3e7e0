import Addresses
import Diagnostics
import Foundation
import NftablesFrontend
import Outcomes
import Proof
import Rulesets
import Scenarios
import TalosFrontend
import Testing

/// The scenario packs that are shipped, found from this file.
enum Pack {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let folder = root.appending(path: "Scenarios")

  /// The files with an ending, as paths from the folder of the packs: `talos/talos.scn`.
  static func files(_ ending: String) -> [String] {
    let all = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }
    return (all ?? []).filter { $0.hasSuffix(ending) }.sorted()
  }

  static func text(_ path: String) -> String {
    let data = FileManager.default.contents(atPath: folder.appending(path: path).path) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }

  /// The scenario files that a user gives to the program: those that say what the firewalls are.
  static let entries = files(".scn").filter { path in
    text(path).split(separator: "\n").contains { $0.hasPrefix("firewall ") }
  }

  /// Whether a firewall of a file is read from documents.
  static func hasDocuments(_ path: String) -> Bool { text(path).contains(" talos \"") }

  /// What a file says of its lines that do not hold: `# fails: ID CODE`.
  static func expectedFailures(_ path: String) -> [String: String] {
    var failures: [String: String] = [:]
    for line in text(path).split(separator: "\n") where line.hasPrefix("# fails: ") {
      let words = line.dropFirst("# fails: ".count).split(separator: " ")
      failures[String(words[0])] = words.dropFirst().joined(separator: " ")
    }
    return failures
  }

  /// A pack read and made sense of.
  struct Reading {
    var plan: ScenarioPlan
    var sources: SourceMap
    /// The scenario files and rulesets that were read, as paths from the folder of the packs.
    var used: Set<String>
    /// The listings of the firewalls that are read from one, by their names.
    var paths: [String: String]
    /// The rulesets of all firewalls, by their names.
    var rulesets: [String: Ruleset]
    var prover: Prover

    /// The outcomes of all lines.
    mutating func outcomes() -> [ClaimOutcome] {
      plan.flows.map { prover.outcome(of: $0, sources: sources) }
    }
  }

  static func read(_ path: String) throws -> Reading {
    var sources = SourceMap()
    var used: Set<String> = [path]
    let (plan, diagnostics) = ScenarioReader.read(
      path: path, bytes: Array(text(path).utf8), sources: &sources
    ) { included in
      let file = normalised(included)
      used.insert(file)
      return .success(Array(text(file).utf8))
    }
    #expect(diagnostics.isEmpty, "\(diagnostics)")
    let known = try #require(plan)
    var firewalls: [Firewall] = []
    var paths: [String: String] = [:]
    var rulesets: [String: Ruleset] = [:]
    for declaration in known.firewalls {
      let span = try #require(declaration.pathSpan)
      let place = (sources[span.file].name as NSString).deletingLastPathComponent
      let files = ([try #require(declaration.path)] + declaration.patches)
        .map { normalised("\(place)/\($0)") }
      used.formUnion(files)
      let ruleset: Ruleset
      if declaration.kind == "talos" {
        ruleset = try documents(files, of: declaration, &sources)
      } else {
        paths[declaration.name] = files[0]
        let reading = NftablesReader.read(
          Array(text(files[0]).utf8), name: files[0], sources: &sources)
        #expect(reading.diagnostics.isEmpty, "\(reading.diagnostics)")
        ruleset = try #require(reading.ruleset)
      }
      rulesets[declaration.name] = ruleset
      firewalls.append(
        Firewall(
          name: declaration.name, ruleset: ruleset, placement: declaration.placement,
          trustedInterfaces: FirewallKind(rawValue: declaration.kind)?.trustedInterfaces ?? []))
    }
    return Reading(
      plan: known, sources: sources, used: used, paths: paths, rulesets: rulesets,
      prover: Prover(
        firewalls: firewalls, interfaces: known.interfaces,
        hosts: known.hosts.map(\.addresses)))
  }

  /// What Talos makes of documents on the hosts that a firewall stands on.
  private static func documents(
    _ files: [String], of declaration: FirewallDeclaration, _ sources: inout SourceMap
  ) throws -> Ruleset {
    guard case .on(let placed) = declaration.placement else { throw Unexpected() }
    let addresses = IPFamily.allCases.flatMap { family in
      placed[family].intervals.flatMap { interval in
        (interval.lower...interval.upper).map { IPAddress(family, rawValue: $0) }
      }
    }
    var options = TalosReader.Options(nodeAddresses: .known(addresses))
    for case .text(let text) in declaration.options.filter({ $0.name == "version" }).map(\.value) {
      options.version = try #require(TalosVersion(text))
    }
    let reading = TalosReader.read(
      files.map { ($0, Array(text($0).utf8)) }, options: options, sources: &sources)
    #expect(reading.diagnostics.isEmpty, "\(reading.diagnostics)")
    return try #require(reading.ruleset)
  }

  struct Unexpected: Error {}

  /// The program, beside the one that runs the tests.
  static func program() throws -> String {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
  }

  /// The path without `..`.
  private static func normalised(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") {
      if part == "..", !parts.isEmpty { parts.removeLast() } else { parts.append(part) }
    }
    return parts.joined(separator: "/")
  }
}

extension FirewallDeclaration {
  /// The files that change the first one.
  fileprivate var patches: [String] {
    options.compactMap { option in
      if option.name == "patch", case .text(let path) = option.value { path } else { nil }
    }
  }
}
