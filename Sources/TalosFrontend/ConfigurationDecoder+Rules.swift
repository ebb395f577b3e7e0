internal import Addresses
internal import Diagnostics
internal import Documents

// Documents of kind NetworkRuleConfig.
extension ConfigurationDecoder {
  /// A rule; nil, and told of, where Talos would refuse it.
  mutating func rule(_ root: ConfigurationNode) -> NetworkRule? {
    let before = diagnostics.count
    checkKeys(of: root, ["apiVersion", "kind", "name", "portSelector", "ingress"], in: .rule)
    let name = root["name"]
    let title = name?.text ?? ""
    if title.isEmpty { report(.nameMissing, at: name?.span ?? head(of: root)) }

    var ports: [Located<PortRange>] = []
    var transport: Located<TransportProtocol>?
    let selector = root["portSelector"]
    if let selector {
      if selector.mapping == nil {
        report(
          .wrongShape(
            "`portSelector`", should: "a mapping", help: "write `ports:` and `protocol:` below it"),
          at: selector.span)
      }
      checkKeys(of: selector, ["ports", "protocol"], in: .portSelector)
      ports = self.ports(selector["ports"])
      transport = self.transport(selector["protocol"])
    }
    let list = root["ingress"]
    let entries = self.entries(list, title)
    let hasDecoded = diagnostics.count == before
    if hasDecoded {
      if ports.isEmpty {
        report(
          .portsMissing(rule: title),
          at: selector?["ports"]?.span ?? selector.map { head(of: $0) } ?? name?.span
            ?? head(of: root))
      }
      checkOverlaps(ports, title)
    }
    guard diagnostics.count == before else { return nil }
    return NetworkRule(
      name: Located(title, at: name?.span ?? root.span), ports: ports, transport: transport,
      ingress: entries, ingressSpan: list?.span, span: root.span)
  }

  // MARK: - Ports

  private mutating func ports(_ node: ConfigurationNode?) -> [Located<PortRange>] {
    guard let node else { return [] }
    guard let entries = node.sequence else {
      report(
        .wrongShape(
          "`portSelector.ports`", should: "a list", help: "write `ports: [\(node.text ?? "80")]`"),
        at: node.span)
      return []
    }
    return entries.compactMap { port($0) }
  }

  /// A port as a number, or a range as text.
  ///
  /// What is not written at all is port 0 to Talos, and a number with a fraction is cut.
  private mutating func port(_ node: ConfigurationNode) -> Located<PortRange>? {
    guard let scalar = node.scalar else {
      report(
        .wrongShape(
          "a port", should: "a number or a range", help: "write `- 80` or `- 8000-9000`"),
        at: node.span)
      return nil
    }
    switch scalar.resolved {
    case .null: return Located(PortRange(0), at: node.span)
    case .integer(let number):
      if let port = UInt16(exactly: number) { return Located(PortRange(port), at: node.span) }
    case .floatingPoint(let number):
      if number >= 0, number < 65_536 {
        return Located(PortRange(UInt16(number)), at: node.span)
      }
    case .boolean, .timestamp, .string: break
    }
    if let range = Self.range(scalar.text) { return Located(range, at: node.span) }
    report(.portInvalid(scalar.text, isQuoted: !scalar.isPlain), at: node.span)
    return nil
  }

  private static func range(_ text: String) -> PortRange? {
    let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count == 2, let lower = number(halves[0]), let upper = number(halves[1]) else {
      return nil
    }
    return PortRange(lower, upper)
  }

  /// A decimal number without a sign; zeros may lead.
  private static func number(_ text: Substring) -> UInt16? {
    guard !text.isEmpty, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    return UInt16(text)
  }

  private mutating func checkOverlaps(_ ports: [Located<PortRange>], _ title: String) {
    let sorted = ports.sorted { $0.value.lower < $1.value.lower }
    for (index, port) in sorted.enumerated() {
      if port.value.lower > port.value.upper {
        report(.portReversed(rule: title, port.value), at: port.span)
        return
      }
      if index > 0, port.value.lower <= sorted[index - 1].value.upper {
        let other = sorted[index - 1]
        report(
          .portOverlap(rule: title, port.value, other.value), at: port.span, besides: other.span)
        return
      }
    }
  }

  private mutating func transport(_ node: ConfigurationNode?) -> Located<TransportProtocol>? {
    guard let node else { return nil }
    let known: TransportProtocol? =
      switch node.text?.lowercased() {
      case "tcp": .tcp
      case "udp": .udp
      case "icmp": .icmp
      case "icmpv6": .icmpv6
      default: nil
      }
    guard let known else {
      report(.protocolInvalid(node.text ?? "this"), at: node.span)
      return nil
    }
    return Located(known, at: node.span)
  }

  // MARK: - Sources

  private mutating func entries(
    _ node: ConfigurationNode?, _ title: String
  ) -> [NetworkRule.Entry] {
    guard let node else { return [] }
    guard let entries = node.sequence else {
      report(
        .wrongShape("`ingress`", should: "a list", help: "write `- subnet: 10.0.0.0/8` below it"),
        at: node.span)
      return []
    }
    return entries.compactMap { entry($0, title) }
  }

  private mutating func entry(_ node: ConfigurationNode, _ title: String) -> NetworkRule.Entry? {
    guard node.mapping != nil || node.isNull else {
      report(
        .wrongShape(
          "an entry of `ingress`", should: "a mapping",
          help: "write `- subnet: \(node.text ?? "10.0.0.0/8")`"), at: node.span)
      return nil
    }
    let before = diagnostics.count
    checkKeys(of: node, ["subnet", "except"], in: .entry)
    guard diagnostics.count == before else { return nil }
    let exceptNode = node["except"].flatMap { $0.text == "" ? nil : $0 }
    let except = exceptNode.flatMap { prefix($0) }
    guard let subnetNode = node["subnet"], subnetNode.text != "" else {
      report(
        .subnetInvalid(rule: title, hasExcept: exceptNode != nil),
        at: node["subnet"]?.span ?? node.span)
      return nil
    }
    guard let subnet = prefix(subnetNode), exceptNode == nil || except != nil else { return nil }
    return NetworkRule.Entry(subnet: subnet, except: except, span: node.span)
  }
}
