package import Addresses
internal import Rulesets
internal import Scenarios

/// A scenario file that says what a machine configuration opens and closes, of which every line
/// holds.
///
/// The lines are about one node and what reaches it from elsewhere, over interfaces that Talos does
/// not trust by itself.
package struct DerivedScenario: Hashable, Sendable {
  /// What the file says of where it comes from.
  package struct Origin: Hashable, Sendable {
    /// The configuration and the patches, as the scenario file is to name them.
    package var path: String
    package var patches: [String]
    package var version: TalosVersion
    /// The node's addresses; nil where nobody said, and documentation addresses stand for them.
    package var node: AddressSet?
    /// Those of them that Talos takes for the node's own.
    package var ownAddresses: [IPAddress]

    package init(
      path: String, patches: [String], version: TalosVersion, node: AddressSet?,
      ownAddresses: [IPAddress]
    ) {
      self.path = path
      self.patches = patches
      self.version = version
      self.node = node
      self.ownAddresses = ownAddresses
    }
  }

  /// The text of the file.
  package let text: String
  /// What the firewall does to packets of the kind that the file is about and the file does not
  /// say, one phrase each; it holds them as comments, too.
  package let gaps: [String]

  /// The addresses that Talos' resolver has on every node, which are no node's own.
  package static let resolver = AddressSet(FirewallChains.hostDNS)
    .union(AddressSet(FirewallChains.hostDNSv6))

  /// 192.0.2.1 and 2001:db8::1, which stand for a node whose addresses are not known.
  ///
  /// Source: RFC 5737 §3, RFC 3849 §2.
  package static let placeholder = [
    IPAddress.ipv4(IPv4Address(rawValue: 0xC000_0201)),
    IPAddress.ipv6(IPv6Address(rawValue: 0x2001_0DB8 << 96 | 1)),
  ]

  /// Says what a configuration opens and closes.
  ///
  /// - Parameters:
  ///   - configuration: The configuration, patches and all.
  ///   - origin: Where it comes from.
  package init(of configuration: MachineConfiguration, from origin: Origin) {
    var draft = DerivedDraft(configuration, origin)
    switch configuration.action {
    case .block: draft.addBlockMode()
    case .accept: draft.addAcceptMode()
    }
    text = draft.text
    gaps = draft.gaps
  }
}

/// A file in the making.
struct DerivedDraft {
  let configuration: MachineConfiguration
  let origin: DerivedScenario.Origin
  let features: FirewallFeatures
  let admissions: PortAdmissions
  /// The addresses of the node that the lines are about.
  let node: AddressSet
  /// By rule: the name of its service, where it opens or closes ports of TCP or UDP.
  private(set) var services: [String?]
  /// What the file does not say.
  private(set) var gaps: [String] = []
  /// What is good to know besides.
  private var notes: [String] = []

  private var names = ScenarioNames()
  private var groups: [(addresses: AddressSet, name: String)] = []
  private var groupLines: [String] = []
  private var serviceLines: [String] = []
  private var suites: [(name: String, lines: [String])] = []

  init(_ configuration: MachineConfiguration, _ origin: DerivedScenario.Origin) {
    self.configuration = configuration
    self.origin = origin
    features = FirewallFeatures(origin.version)
    admissions = PortAdmissions(of: configuration, features)
    node =
      origin.node
      ?? DerivedScenario.placeholder.reduce(.empty) { $0.union(AddressSet($1)) }
    services = Array(repeating: nil, count: configuration.rules.count)
    for name in [Self.nodeName, Self.pingName, Self.timestampsName] { names.reserve(name) }
    for index in configuration.rules.indices { declare(index) }
    tellOfRefusals()
  }

  static let nodeName = "node"
  static let pingName = "ping"
  static let timestampsName = "timestamps"

  // MARK: - Declarations

  /// Declares the service and the group of a rule, or tells why it has none.
  private mutating func declare(_ index: Int) {
    let rule = configuration.rules[index]
    let called = "rule \(DerivedText.quoted(rule.name.value))"
    guard let transport = rule.transport?.value else {
      notes.append(
        "\(called) names no protocol: Talos compares with 0, which is neither TCP nor UDP")
      return
    }
    guard transport == .tcp || transport == .udp else {
      // In block mode what Talos lets in of ICMP by itself comes first.
      let words = "\(called) is about \(transport), where Talos takes the checksum for a port"
      if configuration.action == .block { notes.append(words) } else { gaps.append(words) }
      return
    }
    let certain = admissions.certain[index]
    let all = IntervalSet(
      rule.ports.map(\.value).filter { $0.lower <= $0.upper }
        .map { Interval(UInt128($0.lower), UInt128($0.upper)) })
    let doubtful = admissions.doubtful[index]
    let hidden = all.subtracting(certain).subtracting(doubtful)
    if !doubtful.isEmpty { gaps.append(adjacency(of: doubtful, called, "may not find")) }
    if !hidden.isEmpty { notes.append(adjacency(of: hidden, called, "does not find")) }
    guard !certain.isEmpty else { return }
    let subject = ScenarioNames.subject(of: rule.name.value)
    let service = names.free(subject)
    services[index] = service
    serviceLines.append(
      DerivedText.wrapped(
        "service \(service) = \(DerivedText.service(certain, transport))",
        comment: DerivedText.quoted(rule.name.value)))
    let sources = rule.sources
    guard !sources.isEmpty else {
      if configuration.action == .block {
        notes.append("\(called) names no sources: it opens nothing")
      }
      return
    }
    _ = group(sources, like: "\(subject)-sources", as: DerivedText.members(of: rule))
  }

  /// Source: siderolabs/talos#9009.
  private func adjacency(of ports: IntervalSet, _ rule: String, _ what: String) -> String {
    "\(rule): before Talos 1.7.6 the kernel \(what) port \(Printer.text(of: ports.intervals)), "
      + "which follows another of the rule"
  }

  /// The name of a group with these addresses, declared where there is none yet.
  mutating func group(_ addresses: AddressSet, like wanted: String, as members: String) -> String {
    if addresses == .any { return "any" }
    if let known = groups.first(where: { $0.addresses == addresses }) { return known.name }
    let name = names.free(wanted)
    groups.append((addresses, name))
    groupLines.append(DerivedText.wrapped("group \(name) = \(members)"))
    return name
  }

  /// Tells where the kernel takes none of the rules.
  private mutating func tellOfRefusals() {
    let chains = FirewallChains(
      version: origin.version, nodeAddresses: .known(origin.ownAddresses)
    ).chains(of: configuration)
    guard let refusal = ChainLowering(origin.version).refusals(of: chains).first else { return }
    gaps.append(
      "\(ChainLowering.refusalReason(refusal.range)): whether a line holds is not known")
  }

  // MARK: - Lines

  /// The name of what a part lets in: a rule's own group, or one for what several rules share.
  mutating func sources(of part: PortAdmissions.Part) -> String {
    let subjects = part.rules.map {
      ScenarioNames.subject(of: configuration.rules[$0].name.value)
    }
    let joined = subjects.prefix(2).joined(separator: "-and-") + (subjects.count > 2 ? "-etc" : "")
    return group(
      part.sources, like: "\(joined)-sources", as: DerivedText.members(of: part.sources))
  }

  /// The ports of a part: by the name of the one rule that has them, or as they are.
  func service(of part: PortAdmissions.Part) -> String {
    if part.rules.count == 1, let index = part.rules.first, let name = services[index],
      part.ports == admissions.certain[index]
    {
      return name
    }
    return DerivedText.service(part.ports, part.transport)
  }

  /// Whether a line from `sources` to the node is about any packet: what the node sends to itself
  /// is none.
  func isAsked(from sources: AddressSet) -> Bool {
    IPFamily.allCases.contains { family in
      !node[family].isEmpty && !sources[family].isSubset(of: node[family])
    }
  }

  mutating func leaveOut(_ what: String) {
    notes.append(
      "\(what) is left out: its sources are the node itself, or have no address family in common "
        + "with it")
  }

  /// Notes something that the file does not say, once.
  mutating func addGap(_ words: String) {
    if !gaps.contains(words) { gaps.append(words) }
  }

  mutating func add(_ suite: String, _ lines: [String]) {
    if !lines.isEmpty { suites.append((suite, lines)) }
  }

  /// Declares `ping`, and says where it is answered; nil where rules of ICMP get in its way.
  mutating func ping() -> String? {
    let own = configuration.rules.compactMap(\.transport?.value)
    let isJudged = configuration.action == .accept
    var kinds: [String] = []
    if !node.ipv4.isEmpty, !(isJudged && own.contains(.icmp)) {
      kinds.append(Printer.text(of: .icmp(.ipv4, type: 8, code: nil)))
    }
    if !node.ipv6.isEmpty, !(isJudged && own.contains(.icmpv6)) {
      kinds.append(Printer.text(of: .icmp(.ipv6, type: 128, code: nil)))
    }
    guard !kinds.isEmpty else { return nil }
    serviceLines.append("service \(Self.pingName) = \(kinds.joined(separator: ", "))")
    return Self.pingName
  }

  /// Declares what Talos drops of ICMP whatever the rules say; nil where it drops nothing.
  mutating func timestamps() -> String? {
    guard features.dropsTimestamps, !node.ipv4.isEmpty else { return nil }
    let kinds = ([13, 14, 17, 18] as [UInt8]).map {
      Printer.text(of: .icmp(.ipv4, type: $0, code: nil))
    }
    serviceLines.append(
      DerivedText.wrapped("service \(Self.timestampsName) = \(kinds.joined(separator: ", "))"))
    return Self.timestampsName
  }

  // MARK: - The file

  var text: String {
    let mode = configuration.action == .block ? "block" : "accept"
    var lines = [
      "# What the ingress firewall of \(DerivedText.quoted(origin.path)) lets in,",
      "# which is in \(mode) mode, as Talos \(origin.version) makes it.",
      "# Talos passes whatever comes in by lo, siderolink and kubespan: no line is about that.",
    ]
    if configuration.action == .accept, configuration.rules.isEmpty {
      lines.append("# Without a rule there is no firewall.")
    } else if configuration.action == .accept, !features.tracksInAcceptMode {
      lines += [
        "# Before Talos 1.15 accept mode does not know connections: where the node itself connects",
        "# from a port of a rule, it loses the answers of all but the rule's sources. No line is",
        "# about that: they are about connections to the node.",
      ]
    }
    for gap in gaps + notes { lines.append(DerivedText.comment(gap)) }
    lines.append("")
    if origin.node == nil { lines.append("# Replace these addresses by the node's own.") }
    lines.append("host \(Self.nodeName) = \(DerivedText.list(node))")
    lines.append("")
    if !groupLines.isEmpty { lines += groupLines + [""] }
    if !serviceLines.isEmpty { lines += serviceLines + [""] }
    lines.append(firewall)
    for suite in suites {
      lines += ["", "suite \(StringLiteral.quoting(suite.name)) {"]
      lines += suite.lines.map { DerivedText.wrapped("  \($0)") }
      lines.append("}")
    }
    let text = lines.joined(separator: "\n") + "\n"
    guard let formatted = Formatter.format(Array(text.utf8), file: 0).text else {
      preconditionFailure("what is derived can be read: names and paths are quoted")
    }
    return formatted
  }

  private var firewall: String {
    var text = "firewall \(Self.nodeName)-ingress = talos \(StringLiteral.quoting(origin.path))"
    text += " on \(Self.nodeName) with version \(StringLiteral.quoting("\(origin.version)"))"
    for patch in origin.patches { text += " \\\n  with patch \(StringLiteral.quoting(patch))" }
    return text
  }
}
