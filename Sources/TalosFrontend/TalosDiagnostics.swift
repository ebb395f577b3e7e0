internal import Diagnostics

/// What can be wrong with a machine configuration.
///
/// Where Talos refuses something, the message has Talos' own words.
enum TalosProblem {
  case acceptInPatch
  case booleanInvalid(String)
  case conflictingSubnets
  case defaultAction(String)
  case deletionInList
  case duplicateDocument(String, line: Int)
  case duplicateDefaultAction
  case kindMissing
  case kindTooNew(String, since: String)
  case kindUnknown(String, suggestion: String?, mayFilter: Bool)
  case machineType(String)
  case nameMissing
  case noDocuments
  case noMapping
  case noSpecification
  case nothingToDelete(String)
  case portInvalid(String, isQuoted: Bool)
  case portOverlap(rule: String, PortRange, PortRange)
  case portReversed(rule: String, PortRange)
  case portsMissing(rule: String)
  case prefixInvalid(String)
  case protocolInvalid(String)
  case rangeRefused(String, version: TalosVersion)
  case subnetInvalid(rule: String, hasExcept: Bool)
  case subnetsInvalid(String)
  case unknownKeys(String, help: String?)
  case versionMissing
  case versionOfDocument(kind: String, String)
  case versionUnknown(TalosVersion)
  case wrongShape(String, should: String, help: String?)
  case yaml(String)

  func diagnostic(at span: SourceSpan?, besides other: SourceSpan? = nil) -> Diagnostic {
    let words = self.words
    return Diagnostic(
      words.code, words.severity, words.message, at: span.map { Diagnostic.Label($0, words.label) },
      secondary: other.map { [Diagnostic.Label($0, words.otherLabel)] } ?? [], notes: words.notes,
      help: words.help)
  }

  private struct Words {
    var code: Diagnostic.Code
    var severity: Diagnostic.Severity = .error
    var message: String
    var label = ""
    var otherLabel = ""
    var notes: [String] = []
    var help: String?

    init(_ code: Diagnostic.Code, _ message: String, help: String? = nil) {
      self.code = code
      self.message = message
      self.help = help
    }
  }

  private var words: Words {
    switch self {
    case .acceptInPatch:
      var words = Words(
        "talos.accept-in-patch", "`ingress: accept` in a patch changes nothing",
        help: "delete the document (`$patch: delete`) or change it where it is written")
      words.severity = .warning
      words.otherLabel = "this stays"
      words.notes = [
        "`accept` is what Talos takes for not said, and what is not said is not merged"
      ]
      return words
    case .booleanInvalid(let text):
      return Words(
        "talos.boolean", "`\(text)` is neither true nor false", help: "write `true` or `false`")
    case .conflictingSubnets:
      var words = Words(
        "talos.subnets-conflict",
        "cluster network config in v1alpha1 config (.machine.cluster.network) can't be used with "
          + "KubeNetworkConfig document, please remove it to avoid conflicts",
        help: "remove `cluster.network`")
      words.otherLabel = "the document"
      return words
    case .defaultAction(let text):
      let suggestion = Suggestion.nearest(to: text, among: ["accept", "block"])
      return Words(
        "talos.default-action", "\(text) does not belong to DefaultAction values",
        help: suggestion.map { "did you mean `\($0)`?" } ?? "write `accept` or `block`")
    case .deletionInList:
      return Words(
        "talos.delete-in-list", "`$patch: delete` inside a list is not followed here",
        help: "write the whole list as it should be: lists of a rule are replaced")
    case .duplicateDocument(let title, let line):
      var words = Words(
        "talos.duplicate-document", "duplicate document \(title) is not allowed (line \(line))",
        help: "join the two, or give one another name")
      words.otherLabel = "the first one"
      return words
    case .duplicateDefaultAction:
      return Words("talos.duplicate-default", "duplicate document: NetworkDefaultActionConfig/")
    case .kindMissing:
      return Words(
        "talos.kind-missing", "missing kind", help: "say what the document is: `kind: …`")
    case .kindTooNew(let kind, let since):
      return Words(
        "talos.kind-too-new", "\(kind) needs Talos \(since)",
        help: "say which version runs: version \"\(since)\"")
    case .kindUnknown(let kind, let suggestion, let mayFilter):
      var words = Words(
        "talos.kind-unknown", "Talos has no documents of kind `\(kind)`",
        help: suggestion.map { "did you mean `\($0)`?" })
      if suggestion == nil {
        if mayFilter {
          words.message = "what a document of kind `\(kind)` does to the firewall is not known"
        } else {
          words.severity = .warning
          words.message = "documents of kind `\(kind)` are not known"
          words.notes = ["it is taken to have no part in the firewall"]
        }
      }
      return words
    case .machineType(let text):
      return Words(
        "talos.machine-type", "`\(text)` is no type of machine",
        help: "write `controlplane` or `worker`")
    case .nameMissing:
      return Words(
        "talos.name-missing", "NetworkRuleConfig/: name is required",
        help: "give the rule a name at the top level: `name: …`")
    case .noDocuments:
      return Words("talos.empty", "there is no document in it")
    case .noMapping:
      var words = Words(
        "talos.no-mapping", "a document of a machine configuration is a mapping",
        help: "begin with `apiVersion: v1alpha1` and `kind: …`")
      words.notes = ["JSON patches (lists of `op` and `path`) are not read"]
      return words
    case .noSpecification:
      return Words(
        "talos.no-spec", "the resource has no `spec`",
        help: "print it with `talosctl get machineconfig v1alpha1 -o yaml`")
    case .nothingToDelete(let what):
      var words = Words("talos.nothing-to-delete", "there is no \(what) to delete")
      words.severity = .warning
      return words
    case .portInvalid(let text, let isQuoted):
      return Words(
        "talos.port-range", "invalid port range: \(text.debugDescription)",
        help: Self.portHelp(text, isQuoted: isQuoted))
    case .portOverlap(let rule, let range, let other):
      var words = Words(
        "talos.port-overlap",
        "NetworkRuleConfig/\(rule): invalid port range: \(range), overlaps with \(other)",
        help: "name each port once")
      words.otherLabel = "\(other) is here"
      return words
    case .portReversed(let rule, let range):
      return Words(
        "talos.port-reversed", "NetworkRuleConfig/\(rule): invalid port range: \(range)",
        help: "write the lower port first: \"\(range.upper)-\(range.lower)\"")
    case .portsMissing(let rule):
      return Words(
        "talos.ports-missing", "NetworkRuleConfig/\(rule): portSelector.ports is required",
        help: "list ports and a protocol: `portSelector: {ports: [10250], protocol: tcp}`")
    case .prefixInvalid(let text):
      return Words(
        "talos.prefix", Self.prefixMessage(text), help: Self.prefixHelp(text))
    case .protocolInvalid(let text):
      let known = ["tcp", "udp", "icmp", "icmpv6"]
      return Words(
        "talos.protocol", "\(text) does not belong to Protocol values",
        help: Suggestion.nearest(to: text, among: known).map { "did you mean `\($0)`?" }
          ?? "rules know tcp, udp, icmp and icmpv6; nothing else can be let in in block mode")
    case .rangeRefused(let range, let version):
      var words = Words(
        "talos.range-refused",
        "the kernel refuses the range \(range) from Talos \(version), and loads no rule at all",
        help: "update to Talos 1.12.5 or later, or end the range before its last number")
      words.severity = .warning
      words.notes = [
        "what was loaded before stays until the next start; after it there is no firewall"
      ]
      return words
    case .subnetInvalid(let rule, let hasExcept):
      return Words(
        "talos.subnet-missing", "NetworkRuleConfig/\(rule): invalid subnet: invalid Prefix",
        help: hasExcept
          ? "`except` takes from a `subnet`; for everything else write `subnet: 0.0.0.0/0` beside it"
          : "write `subnet: 10.0.0.0/8`, or 0.0.0.0/0 and ::/0 for everyone")
    case .subnetsInvalid(let text): return Words("talos.subnets", text)
    case .unknownKeys(let keys, let help):
      return Words(
        "talos.unknown-key", "unknown keys found during decoding: \(keys)", help: help)
    case .versionMissing:
      return Words(
        "talos.api-version-missing", "missing apiVersion", help: "write `apiVersion: v1alpha1`")
    case .versionOfDocument(let kind, let version):
      return Words(
        "talos.api-version", "\(kind) has no version `\(version)`",
        help: "write `apiVersion: v1alpha1`")
    case .versionUnknown(let version):
      return Words(
        "talos.version", "what Talos \(version) loads is not known",
        help: "versions from 1.6 to 1.15 are covered")
    case .wrongShape(let what, let should, let help):
      return Words("talos.shape", "\(what) must be \(should)", help: help)
    case .yaml(let message): return Words("talos.yaml", message)
    }
  }

  // MARK: - What to write instead

  private static func portHelp(_ text: String, isQuoted: Bool) -> String {
    let trimmed = text.filter { $0 != " " }
    let halves = trimmed.split(separator: "-", omittingEmptySubsequences: false)
    if let port = UInt16(trimmed), isQuoted { return "write a single port without quotes: \(port)" }
    if halves.count == 2, let lower = UInt16(halves[0]), let upper = UInt16(halves[1]) {
      return "write the range without spaces: \"\(lower)-\(upper)\""
    }
    if trimmed.contains(":") || trimmed.contains(",") {
      return "write each port or range as an entry of its own: [80, \"8000-9000\"]"
    }
    return "a port is a number up to 65535, a range is text: \"8000-9000\""
  }

  private static func prefixMessage(_ text: String) -> String {
    let quoted = text.debugDescription
    guard let slash = text.lastIndex(of: "/") else {
      return "netip.ParsePrefix(\(quoted)): no '/'"
    }
    if text.contains("%") {
      return "netip.ParsePrefix(\(quoted)): IPv6 zones cannot be present in a prefix"
    }
    let bits = text[text.index(after: slash)...]
    guard ConfiguredPrefix(text[..<slash] + "/0") != nil else {
      return "netip.ParsePrefix(\(quoted)): the part before '/' is no address"
    }
    guard !bits.isEmpty, bits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
      bits.utf8.count == 1 || bits.utf8.first != 0x30
    else { return "netip.ParsePrefix(\(quoted)): bad bits after slash: \"\(bits)\"" }
    return "netip.ParsePrefix(\(quoted)): prefix length out of range"
  }

  private static func prefixHelp(_ text: String) -> String {
    if text.contains("%") { return "leave the zone away: rules do not tell interfaces apart" }
    for length in ["32", "128"] where !text.contains("/") {
      if ConfiguredPrefix("\(text)/\(length)") != nil,
        (length == "128") == text.contains(":")
      {
        return "write `\(text)/\(length)` for this one address"
      }
    }
    return "write an address and how many of its bits count: 10.0.0.0/8, 2001:db8::/32"
  }
}
