import Addresses
import Diagnostics

/// Gives names their meaning and makes flows of lines.
///
/// Names may be used before they are declared, and hold in all files of the plan.
struct Resolver {
  let library: Library
  let sources: SourceMap
  let selfAddresses: AddressSet
  var diagnostics: [Diagnostic] = []

  /// What a name stands for.
  struct Declaration {
    enum Kind {
      case host(HostSyntax)
      case group(SetSyntax)
      case service([ServiceSyntax])
    }

    let name: Word
    let kind: Kind

    var isService: Bool {
      switch kind {
      case .service: true
      case .host, .group: false
      }
    }
  }

  /// How far the meaning of a name is known; nil inside `done` where it is wrong.
  enum Resolution<Value> {
    case underway
    case done(Value?)
  }

  var declarations: [String: Declaration] = [:]
  /// Lower-case names in the order of their declarations.
  var order: [String] = []
  /// Names whose declarations could not be read: their uses are not complained about.
  var broken: Set<String> = []
  var addressSets: [String: Resolution<AddressSet>] = [:]
  var serviceLists: [String: Resolution<[Service]>] = [:]
  /// The names being resolved, outermost first.
  var path: [Word] = []
  /// How many names may need one another in a row where each is declared after its use.
  static let longestPath = 100
  private var firewallSyntax: [(syntax: FirewallSyntax, span: SourceSpan)] = []
  private var declaredFiles: Set<Int> = []

  // What lines are made of.
  var hosts: [AddressSet] = []
  /// The interfaces that hosts name, once names are known.
  var interfaces: [InterfaceAssignment] = []
  var flows: [Flow] = []
  var claims: [Claim] = []
  var lineCounts: [String: Int] = [:]
  var ids: [String: SourceSpan] = [:]
  var elaborated: Set<Elaboration> = []
  var declaredNames: DeclaredNames?

  init(library: Library, sources: SourceMap, selfAddresses: AddressSet) {
    self.library = library
    self.sources = sources
    self.selfAddresses = selfAddresses
  }

  /// Everything that the entry files and their includes come to.
  mutating func plan(entries: [Int]) -> ScenarioPlan {
    for entry in entries { declare(file: entry) }
    var plan = ScenarioPlan()
    for key in order {
      guard let declaration = declarations[key] else { continue }
      switch declaration.kind {
      case .host(let host):
        guard let addresses = addresses(named: declaration.name) else { continue }
        plan.names.append((declaration.name.text, addresses))
        plan.hosts.append(
          HostDeclaration(
            name: declaration.name.text, addresses: addresses, interface: host.interface?.text,
            agent: host.agent?.text, span: declaration.name.span))
        if let interface = host.interface {
          plan.interfaces.append(
            InterfaceAssignment(addresses: addresses, interface: interface.text))
        }
      case .group:
        guard let addresses = addresses(named: declaration.name) else { continue }
        plan.names.append((declaration.name.text, addresses))
      case .service:
        _ = services(named: declaration.name)
      }
    }
    interfaces = plan.interfaces
    hosts = (plan.hosts.map(\.addresses) + [selfAddresses]).filter { host in
      IPFamily.allCases.contains { !host[$0].isEmpty && host[$0].onlyValue == nil }
    }
    plan.probeTargets = probeTargets()
    plan.firewalls = firewallSyntax.compactMap { firewall($0.syntax, $0.span) }
    for entry in entries { elaborate(file: entry) }
    diagnostics += contradictions()
    plan.flows = flows
    if flows.isEmpty, let entry = entries.first, !diagnostics.contains(where: \.isError),
      !library.diagnostics.contains(where: \.isError)
    {
      diagnostics.append(.nothingAsked(library.files[entry].path, file: entry))
    }
    return plan
  }

  private mutating func declare(file: Int) {
    guard declaredFiles.insert(file).inserted else { return }
    broken.formUnion(library.files[file].syntax.broken)
    declare(library.files[file].syntax.statements, in: file)
  }

  private mutating func declare(_ statements: [StatementSyntax], in file: Int) {
    for statement in statements {
      switch statement.kind {
      case .include(let path):
        if let included = library.files[file].includes[path.span] { declare(file: included) }
      case .host(let host): declare(host.name, .host(host))
      case .group(let name, let set): declare(name, .group(set))
      case .service(let name, let services): declare(name, .service(services))
      case .firewall(let firewall):
        if let first = firewallSyntax.first(where: { $0.syntax.name.key == firewall.name.key }) {
          diagnostics.append(.duplicateName(firewall.name, first: first.syntax.name.span))
        } else {
          firewallSyntax.append((firewall, statement.span))
        }
      case .suite(let suite): declare(suite.statements, in: file)
      case .defaults, .line: break
      }
    }
  }

  private mutating func declare(_ name: Word, _ kind: Declaration.Kind) {
    if let first = declarations[name.key] {
      diagnostics.append(.duplicateName(name, first: first.name.span))
    } else {
      declarations[name.key] = Declaration(name: name, kind: kind)
      order.append(name.key)
    }
  }

  /// Complains about a name that stands for nothing, or for a thing of the other role.
  mutating func complain(about name: Word, isServiceWanted: Bool) {
    if let declaration = declarations[name.key] {
      let place = sources.location(of: declaration.name.span)
      diagnostics.append(.wrongRole(name, isServiceWanted: isServiceWanted, declared: place))
      return
    }
    // A declaration that could not be read, or a file that could not, has been complained about.
    guard !library.isIncomplete, !broken.contains(name.key) else { return }
    let candidates = order.compactMap { declarations[$0] }
      .filter { $0.isService == isServiceWanted }
    let nearest = Suggestion.nearest(to: name.key, among: candidates.map(\.name.key))
    let meant = nearest.flatMap { declarations[$0]?.name }
    diagnostics.append(
      .unknownName(name, meant: meant.map { ($0.text, sources.location(of: $0.span)) }))
  }
}

extension Diagnostic {
  fileprivate var isError: Bool { severity == .error }

  fileprivate static func duplicateName(_ name: Word, first: SourceSpan) -> Diagnostic {
    Diagnostic(
      .duplicateName, "`\(name.text)` is declared twice", at: name.span, label: "declared again",
      secondary: [Label(first, "declared first")], help: "names are compared without their case")
  }

  fileprivate static func nothingAsked(_ path: String, file: Int) -> Diagnostic {
    Diagnostic(
      .nothingAsked, "`\(path)` and what it includes ask nothing",
      at: SourceSpan(file: file, lower: 0, upper: 0), severity: .warning,
      help: "write a line such as `worker -> cp 50001 tcp expect allow`")
  }

  fileprivate static func unknownName(
    _ name: Word, meant: (text: String, place: String)?
  ) -> Diagnostic {
    Diagnostic(
      .unknownName, "no host, group or service is called `\(name.text)`", at: name.span,
      label: meant.map { "did you mean `\($0.text)` (\($0.place))?" } ?? "not declared")
  }

  fileprivate static func wrongRole(
    _ name: Word, isServiceWanted: Bool, declared: String
  ) -> Diagnostic {
    Diagnostic(
      .wrongRole,
      isServiceWanted
        ? "`\(name.text)` is a host or a group, not a service"
        : "`\(name.text)` is a service, not a host or a group",
      at: name.span, label: "declared at \(declared)")
  }
}
