internal import Diagnostics
internal import Documents

/// The resources of one output of `talosctl get … -o yaml` or `-o json`.
///
/// Source: cmd/talosctl/cmd/talos/output/{yaml,json}.go of Talos. YAML documents are separated by
/// `---`; JSON objects follow one another without commas, and are no list.
struct ResourceStream {
  private(set) var documents: [YAMLValue] = []
  private(set) var diagnostics: [Diagnostic] = []

  init(_ bytes: [UInt8], file: Int) {
    let start = bytes.firstIndex { !Self.isSpace($0) }
    let first = start.map { bytes[$0] }
    if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
      readJSON(bytes, file: file)
    } else {
      readYAML(bytes, file: file)
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
  }

  private mutating func readYAML(_ bytes: [UInt8], file: Int) {
    do throws(YAMLError) {
      documents = try YAMLReader.documents(of: bytes).filter { !$0.isNull }
    } catch {
      var diagnostic = ChainResourceProblem.syntax("\(error)").diagnostic(
        at: SourceSpan(file: file, lower: error.offset, upper: error.offset + 1))
      if case .duplicateKey(_, let first, _) = error.problem {
        let span = SourceSpan(file: file, lower: first.lowerBound, upper: first.upperBound)
        diagnostic.secondary = [Diagnostic.Label(span, "the first one")]
      }
      diagnostics.append(diagnostic)
    }
  }

  // MARK: - JSON

  private mutating func readJSON(_ bytes: [UInt8], file: Int) {
    for range in Self.values(of: bytes) {
      do throws(JSONError) {
        let document = try JSONDocument(
          reading: Array(bytes[range]), limits: JSONLimits(depth: 64, tokenCount: 1 << 22))
        let value = Self.tree(of: document.value, at: range.lowerBound)
        // A list is what `jq --slurp` makes of them.
        documents += value.sequence ?? [value]
      } catch {
        let place = range.lowerBound + error.offset
        diagnostics.append(
          ChainResourceProblem.syntax("\(error)").diagnostic(
            at: SourceSpan(file: file, lower: place, upper: place + 1)))
        return
      }
    }
  }

  /// Where the values of a text stand that follow one another.
  ///
  /// Each ends with the bracket that closes its first one. Text that is in no brackets is part of the
  /// value before which it stands.
  private static func values(of bytes: [UInt8]) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start: Int?
    var depth = 0
    var isQuoted = false
    var offset = 0
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      if isQuoted {
        if byte == UInt8(ascii: "\\") { offset += 1 }
        if byte == UInt8(ascii: "\"") { isQuoted = false }
        continue
      }
      guard !isSpace(byte) else { continue }
      if start == nil { start = offset - 1 }
      switch byte {
      case UInt8(ascii: "\""): isQuoted = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        if depth <= 0, let first = start {
          ranges.append(first..<offset)
          (start, depth) = (nil, 0)
        }
      default: break
      }
    }
    if let start { ranges.append(start..<bytes.count) }
    return ranges
  }

  /// The same tree as the YAML of the resource gives; `start` is where the value's text begins.
  private static func tree(of value: JSONValue, at start: Int) -> YAMLValue {
    let range = value.range.lowerBound + start..<value.range.upperBound + start
    let content: YAMLValue.Content
    switch value.kind {
    case .null, .false, .true, .number:
      content = .scalar(YAMLScalar(text: value.document.text(of: value.node), isPlain: true))
    case .string: content = .scalar(YAMLScalar(text: value.string ?? "", isPlain: false))
    case .array: content = .sequence((value.array ?? []).map { tree(of: $0, at: start) })
    case .object:
      var members: [YAMLMember] = []
      var walk = value.document.members(of: value.node)
      while let member = walk.next(in: value.document) {
        members.append(
          YAMLMember(
            key: tree(of: JSONValue(value.document, member.name), at: start),
            value: tree(of: JSONValue(value.document, member.value), at: start)))
      }
      content = .mapping(members)
    }
    return YAMLValue(content: content, range: range)
  }
}
