internal import Addresses
internal import Diagnostics
internal import Outcomes
internal import Proof
internal import Rulesets
internal import Scenarios
internal import TalosFrontend

/// A firewall that was read from machine configurations: what a remedy changes.
struct TalosFirewall {
  var configuration: MachineConfiguration
  var options: TalosReader.Options
  /// The configuration and its patches, as they were named.
  var files: [String]
}

/// Looks for the smallest change of a firewall's own files that makes a line hold.
///
/// A change is told only when it is proved: with it the line holds, and every other line that held
/// still does.
struct RemedyStep {
  /// Lines that a remedy is looked for, and proofs for each; a run with more broken lines has a
  /// cause that one remedy shows.
  private static let mostLines = 16
  private static let mostProofs = 32

  private let question: CheckCommand.Question
  /// The firewalls that are read from the same files are one configuration.
  private let groups: [Group]

  private struct Group {
    var files: [String]
    var firewalls: [(name: String, firewall: TalosFirewall)]
    /// Every address that the firewalls guard.
    var guarded: AddressSet
  }

  init(_ question: CheckCommand.Question) {
    self.question = question
    var groups: [Group] = []
    for declaration in question.plan.firewalls {
      guard let firewall = question.talosFirewalls[declaration.name],
        case .on(let guarded) = declaration.placement
      else { continue }
      if let index = groups.firstIndex(where: { $0.files == firewall.files }) {
        groups[index].firewalls.append((declaration.name, firewall))
        groups[index].guarded = groups[index].guarded.union(guarded)
      } else {
        groups.append(
          Group(
            files: firewall.files, firewalls: [(declaration.name, firewall)], guarded: guarded))
      }
    }
    self.groups = groups
  }

  /// Gives lines that do not hold their remedies.
  func run(_ claims: inout [ClaimOutcome], _ isStopped: () -> Bool) {
    guard !groups.isEmpty else { return }
    let held = claims.map(\.status)
    var lines = 0
    for index in claims.indices where claims[index].status == .failed {
      let flow = question.plan.flows[index]
      guard flow.expectedFailure == nil, lines < Self.mostLines, !isStopped() else { continue }
      lines += 1
      claims[index].remedy = remedy(for: index, flow, held)
    }
  }

  // MARK: - Candidates

  /// A change of some of the groups.
  private struct Candidate {
    /// By group; nil where it stays as it is.
    var proposals: [TalosRemedies.Proposal?]
    var size: Int { proposals.reduce(0) { $0 + ($1?.size ?? 0) } }
  }

  private func remedy(for index: Int, _ flow: Flow, _ held: [ClaimOutcome.Status]) -> String? {
    let candidates = candidates(for: flow)
    for candidate in candidates.prefix(Self.mostProofs) where isProved(candidate, for: index, held)
    {
      return text(of: candidate)
    }
    return nil
  }

  private func candidates(for flow: Flow) -> [Candidate] {
    let targets = flow.services.flatMap { named(in: $0) }
    // What no rule can let in needs no rule to keep it out.
    let isNamed = flow.services.allSatisfy { $0.kind != .any && !named(in: $0).isEmpty }
    guard flow.expectation != .allow || isNamed
    else { return [] }
    var candidates = [Candidate(proposals: [])]
    for group in groups {
      let proposals = proposals(for: flow, targets, group)
      candidates = candidates.flatMap { candidate in
        ([nil] + proposals.map(Optional.some)).map {
          Candidate(proposals: candidate.proposals + [$0])
        }
      }
    }
    candidates.removeAll { $0.size == 0 }
    return candidates.enumerated()
      .sorted { ($0.element.size, $0.offset) < ($1.element.size, $1.offset) }
      .map(\.element)
  }

  /// The ports of a service that rules can name.
  private func named(in service: Service) -> [TalosRemedies.Target] {
    let isName = service.name.utf8.allSatisfy { byte in
      byte == UInt8(ascii: "-") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
    }
    let name = isName ? service.name : nil
    switch service.kind {
    case .ports(let transport, let ports):
      return [.tcp, .udp].contains(transport)
        ? [TalosRemedies.Target(transport, ports, service: name)] : []
    case .any:
      return [.tcp, .udp].map { TalosRemedies.Target($0, IntervalSet(bitWidth: 16)) }
    case .transport, .icmp, .icmpv6: return []
    }
  }

  private func proposals(
    for flow: Flow, _ targets: [TalosRemedies.Target], _ group: Group
  ) -> [TalosRemedies.Proposal] {
    let reached = flow.destinations.intersection(group.guarded)
    guard let configuration = group.firewalls.first?.firewall.configuration, !reached.isEmpty
    else { return [] }
    var sources = flow.sources
    for family in IPFamily.allCases
    where reached[family].isEmpty || !flow.families.contains(family) {
      sources = sources.subtracting(AddressSet(family, AddressSet.any[family]))
    }
    switch flow.expectation {
    case .allow: return TalosRemedies.admitting(sources, to: targets, in: configuration)
    case .deny, .drop: return TalosRemedies.refusing(sources, to: targets, in: configuration)
    // Talos only ever drops.
    case .reject: return []
    }
  }

  // MARK: - The proof

  private func isProved(
    _ candidate: Candidate, for index: Int, _ held: [ClaimOutcome.Status]
  ) -> Bool {
    var changed = question
    for (group, proposal) in zip(groups, candidate.proposals) {
      guard let proposal else { continue }
      for (name, firewall) in group.firewalls {
        changed.rulesets[name] = TalosReader.ruleset(
          of: proposal.configuration, options: firewall.options)
      }
    }
    var prover = Prover(changed)
    let flows = changed.plan.flows
    guard prover.outcome(of: flows[index], sources: changed.sources).status == .passed else {
      return false
    }
    return flows.indices.allSatisfy { other in
      guard other != index, other < held.count else { return true }
      let status = prover.outcome(of: flows[other], sources: changed.sources).status
      // A line that did not hold may do so now.
      return status == held[other] || held[other] == .failed && status == .passed
    }
  }

  private func text(of candidate: Candidate) -> String {
    var parts: [String] = []
    for (group, proposal) in zip(groups, candidate.proposals) {
      guard let proposal else { continue }
      let file = group.files.first ?? group.firewalls.first?.name ?? ""
      parts.append("in \(file), \(proposal.text)")
    }
    return parts.joined(separator: "\n")
      + "\n(proved: the line holds then, and no other line fails for it)"
  }
}
