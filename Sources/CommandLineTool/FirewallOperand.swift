internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Rulesets
internal import Scenarios

/// A firewall that an operand names: `KIND:PATH`, `live`, or the path of a ruleset.
struct FirewallOperand {
  let kind: FirewallKind
  let path: String?
  /// What it is called in answers.
  let name: String

  /// Reads an operand.
  ///
  /// - Throws: A diagnostic where the kind is none that is read.
  init(_ text: String) throws(Diagnostic) {
    if text == FirewallKind.live.rawValue {
      self.init(.live, path: nil)
      return
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !Files.exists(text) else {
      self.init(.nft, path: text)
      return
    }
    self.init(try Self.kind(String(parts[0])), path: String(parts[1]))
  }

  /// A firewall of a kind; what `live` is said to be read from does not matter.
  init(_ kind: FirewallKind, path: String?) {
    self.kind = kind
    self.path = path
    name = path.map { $0.split(separator: "/").last.map(String.init) ?? $0 } ?? kind.rawValue
  }

  /// The firewall that `--from` and the first operand of a command name.
  ///
  /// - Parameters:
  ///   - arguments: The command line.
  ///   - row: The command.
  ///   - help: What to write where `--from` is missing.
  /// - Returns: The firewall; its path is the operand.
  /// - Throws: A diagnostic where it is, or where the kind is none that is read.
  static func ofKindNamed(
    in arguments: ParsedArguments, for row: CommandRow, help: String
  ) throws(Diagnostic) -> FirewallOperand {
    guard let word = arguments[.from] else {
      throw Diagnostic(
        "usage.missing-option", .error, "'\(row.name)' needs to know the kind of firewall",
        at: nil, help: help)
    }
    return FirewallOperand(try kind(word), path: arguments.operands.first)
  }

  /// The kind that a word stands for.
  ///
  /// - Throws: A diagnostic where it stands for none that is read.
  static func kind(_ word: String) throws(Diagnostic) -> FirewallKind {
    let kinds = FirewallKind.allCases.filter { $0.support != .notYet }
    guard let kind = kinds.first(where: { $0.rawValue == word.lowercased() }) else {
      let names = kinds.map(\.rawValue)
      throw Diagnostic(
        "usage.unknown-kind", .error, "there is no kind of firewall '\(word)'", at: nil,
        help: Suggestion.nearest(to: word, among: names).map { "did you mean '\($0)'?" }
          ?? "the kinds are \(names.joined(separator: ", "))")
    }
    return kind
  }

  /// Reads the ruleset, no more of it than the file tells.
  ///
  /// - Throws: ``Stop``, which has been told.
  func ruleset(
    _ options: [FirewallDeclaration.Option], _ loading: inout FirewallLoading,
    _ sources: inout SourceMap
  ) throws(Stop) -> Ruleset {
    switch kind {
    case .live: return try loading.live(at: nil, sources: &sources).ruleset
    case .nft: return try loading.nft(path ?? "", at: nil, sources: &sources).ruleset
    case .talos:
      return try loading.talos(try question(options, loading, sources), sources: &sources).ruleset
    case .talosChains:
      var question = TalosChainsQuestion(NamedFile(path ?? ""))
      for option in options { try question.take(option, loading.console, sources) }
      return try loading.talosChains(question, sources: &sources).told
    case .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox:
      preconditionFailure("an operand has no kind that is not read")
    }
  }

  /// What to read of machine configurations.
  func question(
    _ options: [FirewallDeclaration.Option], _ loading: FirewallLoading, _ sources: SourceMap
  ) throws(Stop) -> TalosQuestion {
    var question = TalosQuestion(files: [NamedFile(path ?? "")])
    for option in options { try question.take(option, loading.console, sources) }
    return question
  }
}

/// `--with NAME=VALUE`: what a `firewall` statement says after `with`, on the command line.
enum WithOption {
  /// The options that words say of a firewall.
  ///
  /// - Parameters:
  ///   - words: What stands after each `--with`.
  ///   - operand: The firewall.
  ///   - sources: Takes the words, so that what is wrong with them has a place.
  /// - Returns: The options, in order.
  /// - Throws: A diagnostic where the kind has no such option, or it takes another value.
  static func options(
    _ words: [String], for operand: FirewallOperand, _ sources: inout SourceMap
  ) throws(Diagnostic) -> [FirewallDeclaration.Option] {
    var options: [FirewallDeclaration.Option] = []
    for word in words {
      let text = "--with \(word)"
      let file = sources.add(
        SourceFile(name: FirewallLoading.commandLine, bytes: Array(text.utf8)))
      let span = SourceSpan(file: file, lower: 0, upper: text.utf8.count)
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw Diagnostic(
          "usage.wrong-option", .error, "'--with \(word)' is not NAME=VALUE", at: nil,
          help: "for example --with version=1.13")
      }
      let names = operand.kind.options.map(\.rawValue)
      guard let option = operand.kind.options.first(where: { $0.rawValue == parts[0] }) else {
        throw Diagnostic(
          "usage.unknown-firewall-option", .error,
          "a firewall of kind '\(operand.kind.rawValue)' has no option '\(parts[0])'", at: nil,
          help: Suggestion.nearest(to: String(parts[0]), among: names)
            .map { "did you mean '\($0)'?" }
            ?? (names.isEmpty ? "it has none" : "it has \(names.joined(separator: ", "))"))
      }
      guard option.isRepeatable || !options.contains(where: { $0.name == option.rawValue }) else {
        throw Diagnostic(
          "usage.repeated-option", .error, "'--with \(option.rawValue)' is given twice", at: nil)
      }
      options.append(
        FirewallDeclaration.Option(
          name: option.rawValue, value: try value(String(parts[1]), of: option, operand.kind),
          span: span))
    }
    return options
  }

  private static func value(
    _ text: String, of option: FirewallOption, _ kind: FirewallKind
  ) throws(Diagnostic) -> FirewallDeclaration.Option.Value {
    let type = option.value(of: kind)
    switch type {
    case .text: return .text(text)
    case .addresses, .addressesOrText:
      var addresses = AddressSet.empty
      for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let address = IPAddress(part) else {
          if type == .addressesOrText { return .text(text) }
          throw Diagnostic(
            "usage.wrong-option", .error, "'\(part)' is not an address", at: nil,
            help: "for example --with \(option.rawValue)=10.0.0.1,fd00::1")
        }
        addresses = addresses.union(AddressSet(address))
      }
      return .addresses(addresses)
    }
  }
}
