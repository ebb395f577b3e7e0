/// Why a text is not read as YAML, and where.
package struct YAMLError: Error, Hashable, Sendable {
  package enum Problem: Hashable, Sendable {
    /// The grammar is broken; the words are libyaml's.
    case syntax(String)
    case notUTF8
    case isUTF16
    /// A code point that YAML forbids even inside quotes.
    case controlCharacter(UInt32)
    /// A key that its mapping has already; `first` is where, in bytes and as a line from 1.
    case duplicateKey(String, first: Range<Int>, firstLine: Int)
    /// A key that is a list or a mapping.
    case collectionAsKey
    case unknownAnchor(String)
    /// An alias inside the node that it stands for.
    case aliasInsideItsAnchor(String)
    /// A merge key whose value is neither a mapping nor a list of mappings.
    case mergeOfNoMapping
    /// A scalar that is not what its tag says.
    case tagMismatch(tag: String, text: String)
    case tooDeep(limit: Int)
    /// Nodes, those that aliases repeat included.
    case tooManyNodes(limit: Int)
    case scalarTooLong(limit: Int)
    case tooManyBytes(limit: Int)
    case tooManyDirectives(limit: Int)
    case outOfMemory
  }

  package let problem: Problem
  /// In bytes from the beginning of the text.
  package let offset: Int
  /// Counted from 1.
  package let line: Int
  /// Counted from 1, in Unicode scalars; a byte order mark does not count.
  package let column: Int

  init(_ problem: Problem, at offset: Int, in bytes: [UInt8]) {
    self.problem = problem
    self.offset = offset
    let start = byteOrderMark(of: bytes)..<max(offset, byteOrderMark(of: bytes))
    let lineStart =
      bytes[start].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? start.lowerBound
    line = bytes[start].count { $0 == UInt8(ascii: "\n") } + 1
    column = bytes[lineStart..<start.upperBound].count { $0 & 0xC0 != 0x80 } + 1
  }
}

extension YAMLError: CustomStringConvertible {
  /// What is wrong, in one phrase.
  package var description: String {
    switch problem {
    case .syntax(let words): words
    case .notUTF8: "this is not UTF-8"
    case .isUTF16: "the text is UTF-16, and only UTF-8 is read"
    case .controlCharacter(let scalar):
      "a control character (0x\(String(scalar, radix: 16))) may not stand here"
    case .duplicateKey(let name, _, let line):
      "mapping key \(quoted(name)) already defined at line \(line)"
    case .collectionAsKey: "a list or a mapping cannot be a key"
    case .unknownAnchor(let name): "no anchor is called \(quoted(name))"
    case .aliasInsideItsAnchor(let name): "the value of anchor \(quoted(name)) contains itself"
    case .mergeOfNoMapping: "a merge key needs a mapping or a list of mappings as its value"
    case .tagMismatch(let tag, let text): "\(quoted(text)) is not what the tag \(tag) says"
    case .tooDeep(let limit): "lists and mappings nest deeper than \(limit) levels"
    case .tooManyNodes(let limit):
      "there are more than \(limit) values and keys, with what aliases repeat"
    case .scalarTooLong(let limit): "this value has more than \(limit) bytes"
    case .tooManyBytes(let limit): "the text has more than \(limit) bytes"
    case .tooManyDirectives(let limit): "there are more than \(limit) directives"
    case .outOfMemory: "there is not enough memory for the text"
    }
  }
}

/// A text in quotes, with what is not printable escaped, and not longer than a line takes.
private func quoted(_ text: String) -> String {
  let start = text.unicodeScalars.prefix(64)
  return (String(start) + (start.endIndex == text.endIndex ? "" : "…")).debugDescription
}

/// How many bytes the byte order mark of a UTF-8 text takes: 3, or 0 where there is none.
func byteOrderMark(of bytes: [UInt8]) -> Int {
  bytes.starts(with: [0xEF, 0xBB, 0xBF] as [UInt8]) ? 3 : 0
}
