import Addresses
import Diagnostics

/// The declared hosts and groups, for lines with `only`.
struct DeclaredNames {
  let all: [(name: String, addresses: AddressSet)]
  let union: AddressSet
  /// Few names that together hold the same addresses.
  let covering: [String]

  init(_ all: [(name: String, addresses: AddressSet, isGroup: Bool)]) {
    self.all = all.map { ($0.name, $0.addresses) }
    var union = AddressSet.empty
    var covering: [String] = []
    // Groups first: they hold most hosts.
    for entry in all.filter(\.isGroup) + all.filter({ !$0.isGroup })
    where !entry.addresses.isSubset(of: union) {
      union = union.union(entry.addresses)
      covering.append(entry.name)
    }
    self.union = union
    self.covering = covering
  }
}

extension Resolver {
  /// Adds the other half of `only S -> D what`: deny from every other declared host and group, and
  /// from all that no name holds.
  ///
  /// What of a host or a group lies in `S` is left out; two names for the same rest are asked once.
  mutating func addDenials(
    of line: LineSyntax, _ allowed: Flow, _ clauses: Clauses,
    _ services: [(service: Service, span: SourceSpan)]
  ) {
    let names = self.names()
    var seen: Set<AddressSet> = []
    for (name, addresses) in names.all {
      let rest = addresses.subtracting(allowed.sources)
      guard !rest.isEmpty, seen.insert(rest).inserted else { continue }
      let isWhole = rest == addresses
      addDenial(
        line, allowed, clauses, services, from: rest, idSuffix: name.lowercased(),
        isWhole ? name : "\(name) except \(exceptionText([], line.sources))")
    }
    let outside = AddressSet.any.subtracting(names.union).subtracting(allowed.sources)
    if !outside.isEmpty {
      let isCovered = allowed.sources.isSubset(of: names.union)
      addDenial(
        line, allowed, clauses, services, from: outside, idSuffix: "any",
        "any except \(exceptionText(names.covering, isCovered ? nil : line.sources))")
    }
    let others = AddressSet.any.subtracting(allowed.sources)
    var denial = allowed
    denial.sources = others
    denial.expectation = .deny
    // No one name stands for these sources.
    denial.text = ""
    denial.families = Coverage(of: denial, clauses.family, hosts: hosts).families
    if !denial.families.isEmpty { claims.append(Claim(flow: denial)) }
  }

  private mutating func addDenial(
    _ line: LineSyntax, _ allowed: Flow, _ clauses: Clauses,
    _ services: [(service: Service, span: SourceSpan)], from sources: AddressSet,
    idSuffix: String, _ sourceText: String
  ) {
    var flow = allowed
    flow.id = "\(allowed.id)/\(idSuffix)"
    flow.sources = sources
    flow.expectation = .deny
    let coverage = Coverage(of: flow, clauses.family, hosts: hosts)
    // Nothing is asked where the two have no family in common, or are one host.
    guard coverage.gap == nil else { return }
    flow.families = coverage.families
    flow.sharedHosts = coverage.sharedHosts
    // A service that the families of these two do not have is not asked about.
    let places = Set(services.filter { $0.service.kind.exists(inOneOf: flow.families) }.map(\.span))
    flow.services = services.filter { places.contains($0.span) }.map(\.service)
    var asked = line
    asked.services.removeAll { !places.contains($0.kindSpan) }
    flow.text = text(of: asked, clauses, sources: sourceText, .deny)
    flows.append(flow)
  }

  /// What stands after `except` to take away the names and the sources of a line.
  private func exceptionText(_ names: [String], _ sources: SetSyntax?) -> String {
    var atoms = names
    if let sources {
      if sources.exception == nil {
        atoms += sources.atoms.map { Printer.text(of: $0) }
      } else {
        atoms.append("{ \(Printer.text(of: sources)) }")
      }
    }
    return atoms.count == 1 ? atoms[0] : "{ \(atoms.joined(separator: ", ")) }"
  }

  private mutating func names() -> DeclaredNames {
    if let declaredNames { return declaredNames }
    var all: [(name: String, addresses: AddressSet, isGroup: Bool)] = []
    for key in order {
      guard let declaration = declarations[key], case .done(let set?) = addressSets[key] else {
        continue
      }
      switch declaration.kind {
      case .host: all.append((declaration.name.text, set, false))
      case .group: all.append((declaration.name.text, set, true))
      case .service: break
      }
    }
    let names = DeclaredNames(all)
    declaredNames = names
    return names
  }
}
