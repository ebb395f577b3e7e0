package import Addresses
import Diagnostics

/// A file where it is included: its lines are asked once in each suite with the same defaults.
struct Elaboration: Hashable {
  let file: Int
  let suite: String
  let clauses: Clauses
}

/// The suite that a line stands in, and what it inherits.
struct LineContext {
  var suite: String
  /// Whether the suite is one that a file names, rather than the file itself.
  var isNamed = false
  var clauses: Clauses
}

extension Resolver {
  /// Makes flows of the lines of a file that the user named.
  mutating func elaborate(file: Int) {
    let path = library.files[file].path
    let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
    let suite = name.hasSuffix(".scn") ? String(name.dropLast(4)) : String(name)
    elaborate(file: file, LineContext(suite: suite, clauses: Clauses()))
  }

  private mutating func elaborate(file: Int, _ context: LineContext) {
    guard
      elaborated.insert(Elaboration(file: file, suite: context.suite, clauses: context.clauses))
        .inserted
    else { return }
    elaborate(library.files[file].syntax.statements, in: file, context)
  }

  private mutating func elaborate(
    _ statements: [StatementSyntax], in file: Int, _ outer: LineContext
  ) {
    var context = outer
    for statement in statements {
      switch statement.kind {
      case .include(let path):
        if let included = library.files[file].includes[path.span] {
          elaborate(file: included, context)
        }
      case .defaults(let clauses):
        _ = context.clauses.add(clauses, isLine: false, diagnostics: &diagnostics)
        context.clauses = context.clauses.inherited
      case .suite(let suite):
        var inner = context
        inner.isNamed = true
        inner.suite = context.isNamed ? "\(context.suite)/\(suite.name.text)" : suite.name.text
        checkText(suite.name)
        _ = inner.clauses.add(suite.clauses, isLine: false, diagnostics: &diagnostics)
        inner.clauses = inner.clauses.inherited
        elaborate(suite.statements, in: file, inner)
      case .line(let line):
        add(line, statement.span, context)
      case .host, .group, .service, .firewall: break
      }
    }
  }

  private mutating func checkText(_ name: Word) {
    if name.text.isEmpty || name.text.unicodeScalars.contains(where: { $0.value < 0x20 }) {
      diagnostics.append(.textInvalid(at: name.span))
    }
  }

  private mutating func add(_ line: LineSyntax, _ span: SourceSpan, _ context: LineContext) {
    let count = lineCounts[context.suite, default: 0] + 1
    lineCounts[context.suite] = count
    var clauses = context.clauses
    let isValid = clauses.add(line.clauses, isLine: true, diagnostics: &diagnostics)
    var id = "\(context.suite)/\(count)"
    if let own = clauses.id {
      if let first = ids[own.key] {
        // The same line again, in another suite, keeps the id that its number gives it.
        if first != own.span { diagnostics.append(.duplicateId(own, first: first)) }
      } else {
        ids[own.key] = own.span
        id = own.text
      }
    }

    let isOnly: Bool
    let expectation: Flow.Expectation
    let expectationSpan: SourceSpan
    switch line.claim {
    case .expect(let claim):
      (isOnly, expectation, expectationSpan) = (false, claim.value, claim.span)
    case .only(let place): (isOnly, expectation, expectationSpan) = (true, .allow, place)
    }

    let sources = addresses(line.sources, isOnly ? .refused : .anything)
    let destinations = addresses(line.destinations, .anything)
    let services = self.services(line.services)
    guard let sources, let destinations, let services, isValid else { return }
    guard fits(line, clauses, services, expectation, expectationSpan) else { return }

    var flow = Flow(
      id: id, suite: context.suite, text: "", span: span, expectationSpan: expectationSpan,
      sources: sources, destinations: destinations, services: services.map(\.service),
      sourcePorts: clauses.sourcePorts, inputInterface: clauses.interface, state: clauses.state,
      expectation: expectation, severity: clauses.severity, tags: clauses.tags,
      because: clauses.because, skip: clauses.skip, expectedFailure: clauses.expectedFailure,
      timeoutSeconds: clauses.timeoutSeconds, retries: clauses.retries, mode: clauses.mode)
    flow.text = text(of: line, clauses, sources: Printer.text(of: line.sources), expectation)
    let coverage = Coverage(of: flow, clauses.family, hosts: hosts)
    flow.families = coverage.families
    flow.sharedHosts = coverage.sharedHosts
    if let gap = coverage.gap {
      diagnostics.append(complaint(about: gap, line, flow, clauses))
      return
    }
    // A service with members of both families has an answer where one of them has.
    for (service, place) in services where !service.kind.exists(inOneOf: flow.families) {
      let hasOther = services.contains {
        $0.span == place && $0.service.kind.exists(inOneOf: flow.families)
      }
      guard !hasOther else { continue }
      diagnostics.append(.icmpFamily(service, at: place, sides: flow.families))
      return
    }
    flows.append(flow)
    // Where `self` stands for more than was asked, nothing is said about contradictions.
    if !(selfAddresses.isEmpty && (line.sources.holdsThis || line.destinations.holdsThis)) {
      claims.append(Claim(flow: flow))
    }
    if isOnly { addDenials(of: line, flow, clauses, services) }
  }

  /// The line in canonical form, with the clauses that say which packets it covers.
  func text(
    of line: LineSyntax, _ clauses: Clauses, sources: String, _ expectation: Flow.Expectation
  ) -> String {
    var text = "\(sources) -> \(Printer.text(of: line.destinations)) "
    text += "\(Printer.text(of: line.services)) expect \(Printer.text(of: expectation))"
    if let interface = clauses.interface { text += " in \(interface)" }
    if let ports = clauses.sourcePorts {
      text += " from port \(Printer.text(of: ports.intervals))"
    }
    if let family = clauses.family { text += " family \(family.rawValue)" }
    if clauses.state != .new { text += " state \(clauses.state.rawValue)" }
    return text
  }

  /// Whether the words of a line suit its services; complains where they do not.
  private mutating func fits(
    _ line: LineSyntax, _ clauses: Clauses, _ services: [(service: Service, span: SourceSpan)],
    _ expectation: Flow.Expectation, _ expectationSpan: SourceSpan
  ) -> Bool {
    if let span = clauses.sourcePortSpan,
      let other = services.first(where: { !$0.service.kind.hasPorts })
    {
      diagnostics.append(.sourcePortWithoutPorts(other.service, at: span, service: other.span))
      return false
    }
    if expectation == .reject(.tcpReset),
      let other = services.first(where: { !$0.service.kind.isTCP })
    {
      diagnostics.append(
        .rejectMismatch(other.service, at: expectationSpan, service: other.span))
      return false
    }
    return true
  }

  private func complaint(
    about gap: Coverage.Gap, _ line: LineSyntax, _ flow: Flow, _ clauses: Clauses
  ) -> Diagnostic {
    switch gap {
    case .family:
      .familiesDisjoint(
        source: line.sources.span, flow.sources, destination: line.destinations.span,
        flow.destinations, wanted: clauses.family)
    case .service:
      .icmpFamily(flow.services[0], at: line.services[0].kindSpan, sides: flow.commonFamilies)
    case .itself:
      .itself(at: line.destinations.span, source: line.sources.span)
    }
  }
}

extension Service.Kind {
  var hasPorts: Bool {
    switch self {
    case .ports: true
    case .any, .transport, .icmp, .icmpv6: false
    }
  }

  var isTCP: Bool {
    switch self {
    case .ports(let number, _), .transport(let number): number == .tcp
    case .any, .icmp, .icmpv6: false
    }
  }

  /// The only family that has the service, or nil where both do.
  var family: IPFamily? {
    switch self {
    case .icmp: .ipv4
    case .icmpv6: .ipv6
    case .any, .ports, .transport: nil
    }
  }

  package func exists(in family: IPFamily) -> Bool { self.family == nil || self.family == family }

  func exists(inOneOf families: Set<IPFamily>) -> Bool { families.contains { exists(in: $0) } }
}

private func familyNames(_ set: AddressSet) -> String {
  if set.ipv6.isEmpty { return "only IPv4" }
  if set.ipv4.isEmpty { return "only IPv6" }
  return "IPv4 and IPv6"
}

extension Diagnostic {
  fileprivate static func duplicateId(_ id: Word, first: SourceSpan) -> Diagnostic {
    Diagnostic(
      .duplicateId, "the id `\(id.text)` is given twice", at: id.span, label: "given again",
      secondary: [Label(first, "given first")], help: "an id names one line of a run")
  }

  fileprivate static func familiesDisjoint(
    source: SourceSpan, _ sources: AddressSet, destination: SourceSpan,
    _ destinations: AddressSet, wanted: IPFamily?
  ) -> Diagnostic {
    Diagnostic(
      .familiesDisjoint, "source and destination have no family in common", at: destination,
      label: familyNames(destinations), secondary: [Label(source, familyNames(sources))],
      notes: wanted.map { ["only \($0 == .ipv4 ? "IPv4" : "IPv6") is asked about"] } ?? [],
      help: "give both sides addresses of one family")
  }

  fileprivate static func icmpFamily(
    _ service: Service, at span: SourceSpan, sides: Set<IPFamily>
  ) -> Diagnostic {
    let isFour = service.kind.family == .ipv4
    return Diagnostic(
      .icmpFamily, "`\(isFour ? "icmp" : "icmpv6")` is of \(isFour ? "IPv4" : "IPv6")", at: span,
      label: "the two sides have only \(sides == [.ipv4] ? "IPv4" : "IPv6") in common",
      help: "write `\(isFour ? "icmpv6" : "icmp")`, or give both sides addresses of "
        + (isFour ? "IPv4" : "IPv6"))
  }

  fileprivate static func itself(at span: SourceSpan, source: SourceSpan) -> Diagnostic {
    Diagnostic(
      .itself, "the line asks a host only about itself", at: span,
      label: "the same host as the source", secondary: [Label(source, "the source")],
      help: "what a host sends to itself stays on the loopback; remove the line")
  }

  fileprivate static func rejectMismatch(
    _ service: Service, at span: SourceSpan, service place: SourceSpan
  ) -> Diagnostic {
    Diagnostic(
      .rejectMismatch, "only TCP can be rejected with a reset", at: span,
      label: "expects a TCP reset", secondary: [Label(place, "`\(service.name)` is not only TCP")],
      help: "write `reject`, or a line of its own for TCP")
  }

  fileprivate static func sourcePortWithoutPorts(
    _ service: Service, at span: SourceSpan, service place: SourceSpan
  ) -> Diagnostic {
    Diagnostic(
      .sourcePortWithoutPorts, "`\(service.name)` has no source port", at: span,
      secondary: [Label(place, "not a protocol with ports")],
      help: "remove `from port`, or name TCP, UDP or SCTP ports")
  }

  fileprivate static func textInvalid(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .textInvalid, "a suite's name is one line of text", at: span,
      help: "the name appears in ids and reports: `\"bootstrap\"`")
  }
}
