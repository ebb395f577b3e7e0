import Addresses
import Diagnostics

extension Resolver {
  /// What `self` may stand for where the addresses of this machine are not known.
  enum UnknownSelf {
    /// Every address: more is covered than was asked.
    case anything
    case refused
  }

  /// The addresses of a set, or nil where something in it has been complained about.
  mutating func addresses(_ set: SetSyntax, _ unknownSelf: UnknownSelf = .refused) -> AddressSet? {
    // Most sets are one name.
    if set.atoms.count == 1, set.exception == nil, case .name(let text) = set.atoms[0].kind {
      return addresses(named: Word(text: text, span: set.atoms[0].span))
    }
    var gathered = Gathered()
    var isWhole = true
    for atom in set.atoms where !gather(atom, unknownSelf, into: &gathered) { isWhole = false }
    guard let exception = set.exception else { return isWhole ? gathered.addresses : nil }
    var taken = Gathered()
    guard gather(exception, .refused, into: &taken), isWhole else { return nil }
    let left = gathered.addresses.subtracting(taken.addresses)
    guard left.isEmpty else { return left }
    diagnostics.append(.emptySet(at: set.span, exception: exception.span))
    return nil
  }

  private struct Gathered {
    var ipv4: [Interval] = []
    var ipv6: [Interval] = []

    mutating func add(_ family: IPFamily, _ interval: Interval) {
      switch family {
      case .ipv4: ipv4.append(interval)
      case .ipv6: ipv6.append(interval)
      }
    }

    mutating func add(_ set: AddressSet) {
      ipv4 += set.ipv4.intervals
      ipv6 += set.ipv6.intervals
    }

    var addresses: AddressSet { AddressSet(ipv4: IntervalSet(ipv4), ipv6: IntervalSet(ipv6)) }
  }

  /// Adds the addresses of an atom; false where something has been complained about.
  private mutating func gather(
    _ atom: AtomSyntax, _ unknownSelf: UnknownSelf, into gathered: inout Gathered
  ) -> Bool {
    switch atom.kind {
    case .address(let address):
      gathered.add(address.family, Interval(address.rawValue))
    case .prefix(let prefix):
      gathered.add(prefix.family, prefix.interval)
    case .range(let lower, let upper):
      gathered.add(lower.family, Interval(lower.rawValue, upper.rawValue))
    case .any:
      gathered.add(.any)
    case .this:
      guard selfAddresses.isEmpty else {
        gathered.add(selfAddresses)
        return true
      }
      switch unknownSelf {
      case .anything: gathered.add(.any)
      case .refused:
        diagnostics.append(.selfUnknown(at: atom.span))
        return false
      }
    case .braces(let set):
      guard let addresses = addresses(set, unknownSelf) else { return false }
      gathered.add(addresses)
    case .name(let text):
      guard let addresses = addresses(named: Word(text: text, span: atom.span)) else {
        return false
      }
      gathered.add(addresses)
    case .invalid:
      return false
    }
    return true
  }

  /// The addresses of a host or a group, or nil where it has been complained about.
  mutating func addresses(named name: Word) -> AddressSet? {
    switch addressSets[name.key] {
    case .done(let addresses): return addresses
    case .underway:
      diagnostics.append(.cycle(name, path, "group"))
      return nil
    case nil: break
    }
    guard let declaration = declarations[name.key], !declaration.isService else {
      complain(about: name, isServiceWanted: false)
      return nil
    }
    guard path.count < Self.longestPath else {
      diagnostics.append(.pathTooLong(name, "group"))
      return nil
    }
    addressSets[name.key] = .underway
    path.append(declaration.name)
    let addresses: AddressSet?
    switch declaration.kind {
    case .host(let host):
      var gathered = Gathered()
      for address in host.addresses {
        gathered.add(address.value.family, Interval(address.value.rawValue))
      }
      // An address that could not be read has been complained about.
      addresses = host.addresses.isEmpty ? nil : gathered.addresses
    case .group(let set): addresses = self.addresses(set)
    case .service: addresses = nil
    }
    path.removeLast()
    addressSets[name.key] = .done(addresses)
    return addresses
  }
}

extension Diagnostic {
  /// A name that leads back to itself through `path`.
  static func cycle(_ name: Word, _ path: [Word], _ what: String) -> Diagnostic {
    let first = path.firstIndex { $0.key == name.key } ?? path.startIndex
    let way = path[first...]
    return Diagnostic(
      .groupCycle, "the \(what) `\(name.text)` contains itself", at: name.span,
      label: way.count == 1 ? "its own name" : "back to the beginning",
      secondary: way.map { Label($0.span, "`\($0.text)` is declared here") },
      help: "a \(what) can only hold what does not need it")
  }

  /// A name at the end of a long chain of names that need one another.
  static func pathTooLong(_ name: Word, _ what: String) -> Diagnostic {
    Diagnostic(
      .nestedTooDeeply,
      "more than \(Resolver.longestPath) \(what)s in a row need the next one", at: name.span,
      help: "declare the \(what)s that others need before those")
  }

  fileprivate static func emptySet(at span: SourceSpan, exception: SourceSpan) -> Diagnostic {
    Diagnostic(
      .emptySet, "the exception leaves nothing of the set", at: exception,
      label: "takes away all of it", secondary: [Label(span, "the whole set")],
      help: "except less, or remove the set")
  }

  static func selfUnknown(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .selfUnknown, "the addresses of this machine are not known here", at: span,
      help: "declare the machine with `host` and use its name")
  }
}
