package import Diagnostics
internal import Documents

/// How the operator reaches the far ends: a name, and the words of the program that is started
/// there.
///
/// ```yaml
/// cp1: [ip, netns, exec, cp1, portproof]
/// cp2: [ssh, cp2.example, sudo, portproof]
/// ```
///
/// YAML or JSON. The words are passed on as they are; no shell ever takes them apart.
package struct AgentsFile: Hashable, Sendable {
  package struct Agent: Hashable, Sendable {
    package var name: String
    /// The program and what follows its name; one at least.
    package var words: [String]
    /// Where its name stands.
    package var span: SourceSpan
  }

  /// In the order of the file, each name once.
  package private(set) var agents: [Agent] = []

  /// The words of an agent; nil where there is none of this name.
  package subscript(name: String) -> [String]? { agents.first { $0.name == name }?.words }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - bytes: What it holds.
  ///   - file: Its number in the source map that places point into.
  ///   - diagnostics: Takes what is wrong with it, all of it; where something is, the value is nil.
  package init?(reading bytes: [UInt8], file: Int, diagnostics: inout [Diagnostic]) {
    let documents: [YAMLValue]
    do throws(YAMLError) {
      documents = try YAMLReader.documents(of: bytes, limits: YAMLLimits(byteCount: 1 << 20))
    } catch {
      let span = SourceSpan(file: file, lower: error.offset, upper: error.offset)
      diagnostics.append(
        Diagnostic("agents.syntax", .error, error.description, at: .init(span)))
      return nil
    }
    let before = diagnostics.count
    guard documents.count <= 1 else {
      diagnostics.append(
        Self.trouble(
          "agents.several-documents", "a file of agents is one document", documents[1], file))
      return nil
    }
    guard let root = documents.first, !root.isNull else { return }
    guard let members = root.mapping else {
      diagnostics.append(
        Self.trouble(
          "agents.not-a-mapping", "a file of agents maps names to lists of words", root,
          file, help: Self.example))
      return nil
    }
    for member in members {
      if let words = Self.words(member, file, &diagnostics) {
        agents.append(
          Agent(name: member.name, words: words, span: Self.span(member.key, file)))
      }
    }
    guard diagnostics.count == before else { return nil }
  }

  private static let example = "for example cp1: [ip, netns, exec, cp1, portproof]"

  private static func words(
    _ member: YAMLMember, _ file: Int, _ diagnostics: inout [Diagnostic]
  ) -> [String]? {
    if member.name.isEmpty {
      diagnostics.append(trouble("agents.no-name", "an agent needs a name", member.key, file))
      return nil
    }
    guard let entries = member.value.sequence else {
      diagnostics.append(
        trouble(
          "agents.not-a-list", "the words of '\(member.name)' are not a list", member.value, file,
          help: "no shell takes a line apart; \(example)"))
      return nil
    }
    guard !entries.isEmpty else {
      diagnostics.append(
        trouble("agents.no-words", "'\(member.name)' starts no program", member.value, file))
      return nil
    }
    var words: [String] = []
    for entry in entries {
      guard let scalar = entry.scalar, !scalar.isNull || !scalar.isPlain, isWord(scalar.text),
        !words.isEmpty || !scalar.text.isEmpty
      else {
        diagnostics.append(
          trouble("agents.not-a-word", "this is not a word that a program is given", entry, file))
        continue
      }
      words.append(scalar.text)
    }
    return words.count == entries.count ? words : nil
  }

  /// The kernel ends a word at its first zero.
  private static func isWord(_ text: String) -> Bool { !text.utf8.contains(0) }

  private static func span(_ value: YAMLValue, _ file: Int) -> SourceSpan {
    SourceSpan(file: file, lower: value.range.lowerBound, upper: value.range.upperBound)
  }

  private static func trouble(
    _ code: Diagnostic.Code, _ message: String, _ value: YAMLValue, _ file: Int,
    help: String? = nil
  ) -> Diagnostic {
    Diagnostic(code, .error, message, at: .init(span(value, file)), help: help)
  }
}
