internal import Diagnostics

// Keys that Talos does not know, and what was probably meant.
extension ConfigurationDecoder {
  /// A mapping whose keys are all known.
  enum KnownMapping {
    case defaultAction, rule, portSelector, entry, kubeNetwork, legacy
  }

  mutating func checkKeys(
    of node: ConfigurationNode, _ known: [String], in mapping: KnownMapping
  ) {
    for member in node.mapping ?? [] where !known.contains(member.name) {
      report(
        .unknownKeys(
          member.name, help: Self.help(for: member.name, in: mapping, among: known)),
        at: member.nameSpan)
    }
  }

  private static func help(
    for key: String, in mapping: KnownMapping, among known: [String]
  ) -> String? {
    switch (mapping, key) {
    case (.rule, "spec"):
      return
        "there is no `spec`: `portSelector` and `ingress` stand at the top level, beside `kind`"
    case (.rule, "metadata"): return "write `name: …` at the top level"
    case (.rule, "ports"), (.rule, "protocol"), (.rule, "port"):
      return "write it below `portSelector`: `portSelector: {ports: [80], protocol: tcp}`"
    case (.rule, "subnet"), (.rule, "except"), (.rule, "subnets"):
      return "write it as an entry of `ingress`: `ingress: [{subnet: 10.0.0.0/8}]`"
    case (.rule, "allow"), (.rule, "from"), (.rule, "rules"), (.rule, "sources"), (.rule, "cidr"):
      return "list who may connect as `ingress: [{subnet: 10.0.0.0/8}]`"
    case (.rule, "action"), (.rule, "verdict"), (.rule, "policy"):
      return
        "a rule has no action: it names who may connect, and NetworkDefaultActionConfig decides"
        + " about the ports that no rule names"
    case (.rule, "egress"), (.defaultAction, "egress"):
      return "Talos filters what comes in, and nothing that goes out"
    case (.rule, "interface"), (.rule, "interfaces"), (.rule, "destination"):
      return "rules match ports and sources only"
    case (.defaultAction, "spec"): return "write `ingress: block` at the top level"
    case (.defaultAction, "metadata"), (.defaultAction, "name"):
      return "the default action has no name: there is one of it"
    case (.defaultAction, "action"), (.defaultAction, "policy"), (.defaultAction, "default"):
      return "write `ingress: block` or `ingress: accept`"
    case (.legacy, "ingress"), (.legacy, "portSelector"), (.legacy, "name"):
      return "write documents of their own, parted by `---`, with `apiVersion` and `kind`"
    case (.portSelector, "port"), (.portSelector, "portRange"), (.portSelector, "portRanges"):
      return "write `ports:` and a list: [80, \"8000-9000\"]"
    case (.entry, "cidr"), (.entry, "from"), (.entry, "source"), (.entry, "ip"),
      (.entry, "ipBlock"),
      (.entry, "address"), (.entry, "network"):
      return "write `subnet: …`"
    case (.entry, "exclude"), (.entry, "not"), (.entry, "excepts"):
      return "write `except: …` and one prefix"
    case (.entry, "ports"), (.entry, "protocol"), (.entry, "port"):
      return "ports stand in `portSelector`, for all sources of the rule"
    default: break
    }
    if let name = Suggestion.nearest(to: key, among: known) { return "did you mean `\(name)`?" }
    return "known here: \(known.joined(separator: ", "))"
  }
}
