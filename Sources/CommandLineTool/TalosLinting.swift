internal import Addresses
internal import Diagnostics
internal import Scenarios
internal import TalosFrontend

/// What is wrong with machine configurations, beside a check and by itself.
enum TalosLinting {
  /// The findings about the firewalls of a question: each configuration once, no notes.
  ///
  /// Which nodes there are is taken from where the firewalls stand. Errors are told as warnings, and
  /// what to write is left to `lint`: here the lines count, and have remedies of their own.
  static func findings(for question: CheckCommand.Question) -> [Diagnostic] {
    let cluster = cluster(of: question)
    var findings: [Diagnostic] = []
    var seen: Set<[String]> = []
    for declaration in question.plan.firewalls {
      guard let firewall = question.talosFirewalls[declaration.name],
        seen.insert(firewall.files).inserted
      else { continue }
      var known = cluster
      // Where a configuration stands on one host only, that host does not need to reach itself.
      if case .on(let placed) = declaration.placement {
        let hosts = question.plan.hosts.filter { !$0.addresses.intersection(placed).isEmpty }
        if hosts.count == 1, placed.isSubset(of: hosts[0].addresses) { known.own = placed }
      }
      let files = firewall.files.first.map { " \($0)" } ?? ""
      for var finding in TalosLints.findings(
        in: firewall.configuration, options: firewall.options, cluster: known)
      where finding.severity != .note {
        finding.severity = .warning
        finding.notes = []
        finding.help = "`portproof lint --from talos\(files)` tells what to write"
        findings.append(finding)
      }
    }
    return findings
  }

  /// The nodes of the cluster, by the parts that their configurations give them.
  private static func cluster(of question: CheckCommand.Question) -> ClusterDescription {
    var cluster = ClusterDescription()
    for declaration in question.plan.firewalls {
      guard let firewall = question.talosFirewalls[declaration.name],
        case .on(let placed) = declaration.placement, placed.prefixes.count <= 256
      else { continue }
      switch firewall.configuration.legacy?.machineType?.value {
      case .controlPlane, .initial: cluster.controlPlanes = cluster.controlPlanes.union(placed)
      case .worker: cluster.workers = cluster.workers.union(placed)
      case nil: break
      }
    }
    return cluster
  }
}

/// What `--with` says of a cluster when a machine configuration is linted.
enum ClusterFact: String, CaseIterable {
  case administrators = "admin"
  case controlPlanes = "controlplane"
  case workers = "worker"
  case networkPlugin = "cni"
  case machineType = "type"

  /// Splits what says something of the cluster off what says how the files are read.
  ///
  /// - Throws: A diagnostic where a value is none.
  static func cluster(
    from words: [String]
  ) throws(Diagnostic) -> (cluster: ClusterDescription, rest: [String]) {
    var cluster = ClusterDescription()
    var rest: [String] = []
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let fact = ClusterFact(rawValue: String(parts[0])) else {
        rest.append(word)
        continue
      }
      let value = String(parts[1])
      switch fact {
      case .administrators: cluster.administrators = try addresses(value, fact)
      case .controlPlanes: cluster.controlPlanes = try addresses(value, fact)
      case .workers: cluster.workers = try addresses(value, fact)
      case .networkPlugin:
        guard let plugin = NetworkPlugin(rawValue: value) else {
          throw wrong(word, NetworkPlugin.allCases.map(\.rawValue), value)
        }
        cluster.networkPlugin = plugin
      case .machineType:
        guard let type = MachineConfiguration.MachineType(rawValue: value) else {
          throw wrong(word, MachineConfiguration.MachineType.allCases.map(\.rawValue), value)
        }
        cluster.machineType = type
      }
    }
    return (cluster, rest)
  }

  private static func addresses(
    _ text: String, _ fact: ClusterFact
  ) throws(Diagnostic) -> AddressSet {
    var addresses = AddressSet.empty
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      if let address = IPAddress(part) {
        addresses = addresses.union(AddressSet(address))
      } else if let prefix = ConfiguredPrefix(part) {
        addresses = addresses.union(AddressSet(prefix.network))
      } else {
        throw Diagnostic(
          "usage.wrong-option", .error, "'\(part)' is no address and no prefix", at: nil,
          help: "for example --with \(fact.rawValue)=10.0.0.1,10.1.0.0/24")
      }
    }
    return addresses
  }

  private static func wrong(_ word: String, _ known: [String], _ value: String) -> Diagnostic {
    Diagnostic(
      "usage.wrong-option", .error, "'--with \(word)' says nothing that is known", at: nil,
      help: Suggestion.nearest(to: value, among: known).map { "did you mean '\($0)'?" }
        ?? "it is one of \(known.joined(separator: ", "))")
  }
}
