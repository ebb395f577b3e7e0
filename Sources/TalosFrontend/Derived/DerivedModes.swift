internal import Addresses
internal import Scenarios

// What is open and what is closed, by the firewall's mode.
extension DerivedDraft {
  // MARK: - Block mode

  /// A line for each rule, and lines for what no rule opens.
  mutating func addBlockMode() {
    var open: [String] = []
    for (index, rule) in configuration.rules.enumerated() {
      guard let service = services[index], !rule.sources.isEmpty else { continue }
      guard isAsked(from: rule.sources) else {
        leaveOut("what rule \(DerivedText.quoted(rule.name.value)) opens")
        continue
      }
      let sources = group(rule.sources, like: service, as: DerivedText.members(of: rule))
      open.append("\(sources) -> \(Self.nodeName) \(service) expect allow")
    }
    if let ping = ping() {
      open.append(
        "any -> \(Self.nodeName) \(ping) expect allow because \"5 a second, from all together\"")
    }
    add("open", open)
    addClosed()
  }

  private mutating func addClosed() {
    var closed: [(sources: String, services: [String])] = []
    func close(_ service: String, from sources: String) {
      if let index = closed.firstIndex(where: { $0.sources == sources }) {
        closed[index].services.append(service)
      } else {
        closed.append((sources, [service]))
      }
    }
    for part in admissions.parts {
      let exempt = exemption(for: part)
      let outside = AddressSet.any.subtracting(part.sources).subtracting(exempt)
      guard isAsked(from: outside) else { continue }
      var excepted: [String] = []
      for index in part.rules {
        let rule = configuration.rules[index]
        if rule.sources.isEmpty { continue }
        let name = group(rule.sources, like: "sources", as: DerivedText.members(of: rule))
        if !excepted.contains(name) { excepted.append(name) }
      }
      excepted += names(ofExempt: exempt)
      close(service(of: part), from: DerivedText.any(except: excepted))
    }
    let exempt = exemption(for: nil)
    if isAsked(from: AddressSet.any.subtracting(exempt)) {
      close("sctp", from: DerivedText.any(except: names(ofExempt: exempt)))
    }
    if let timestamps = timestamps() { close(timestamps, from: "any") }
    // What is closed to all comes last.
    let ordered = closed.filter { $0.sources != "any" } + closed.filter { $0.sources == "any" }
    add(
      "closed",
      ordered.map { sources, services in
        "\(sources) -> \(Self.nodeName) \(DerivedText.services(services)) expect drop"
      })
  }

  private mutating func names(ofExempt addresses: AddressSet) -> [String] {
    if addresses.isEmpty { return [] }
    addGap("Talos' own rules let pods and services in to some ports that no rule opens to them")
    let members = DerivedText.members(of: addresses)
    return [group(addresses, like: "pods-and-services", as: members)]
  }

  /// Sources that Talos' own rules for pods and services may let in to a part, or to protocols
  /// without rules where that is nil.
  ///
  /// New connections to the node's own addresses over TCP and UDP are dropped in `prerouting`, where
  /// there is that chain, before those rules are asked.
  private func exemption(for part: PortAdmissions.Part?) -> AddressSet {
    let chains = FirewallChains(
      version: origin.version, nodeAddresses: .known(origin.ownAddresses))
    guard let subnets = chains.kubernetesSubnets(of: configuration) else { return .empty }
    let own = origin.ownAddresses.reduce(AddressSet.empty) { $0.union(AddressSet($1)) }
    if part != nil, features.hasPrerouting, node.isSubset(of: own) { return .empty }
    let all = (subnets.pods + subnets.services).reduce(AddressSet.empty) {
      $0.union(AddressSet($1.network))
    }
    // A rule for the host's resolver loses its destination in a family that only the sources have.
    let asksResolver =
      part?.ports.contains(53) == true && !all.ipv6.isEmpty
      && chains.hostDNSForwarding(of: configuration)?.value == true
    return asksResolver || !node.intersection(all).isEmpty ? all : .empty
  }

  // MARK: - Accept mode

  /// A line for each rule that keeps somebody out, and one for what no rule is about.
  mutating func addAcceptMode() {
    var restricted: [String] = []
    var open: [String] = []
    var rest: [String] = []
    for part in admissions.parts {
      let what = service(of: part)
      let outside = AddressSet.any.subtracting(part.sources)
      if part.rules.isEmpty {
        rest.append(what)
      } else if part.sources.isEmpty {
        restricted.append("any -> \(Self.nodeName) \(what) expect drop")
      } else if outside.isEmpty {
        open.append("any -> \(Self.nodeName) \(what) expect allow")
      } else if !isAsked(from: outside) {
        // All that is let in is the node's business: whoever can ask may.
        let name = sources(of: part)
        if isAsked(from: part.sources) {
          open.append("\(name) -> \(Self.nodeName) \(what) expect allow")
        } else {
          leaveOut(what)
        }
      } else if isAsked(from: part.sources) {
        restricted.append("only \(sources(of: part)) -> \(Self.nodeName) \(what)")
      } else {
        let name = sources(of: part)
        leaveOut("who reaches \(what)")
        restricted.append(
          "\(DerivedText.any(except: [name])) -> \(Self.nodeName) \(what) expect drop")
      }
    }
    rest.append("sctp")
    if let ping = ping() { rest.append(ping) }
    open.append("any -> \(Self.nodeName) \(DerivedText.services(rest)) expect allow")
    add("restricted", restricted)
    add("open", open)
  }
}
