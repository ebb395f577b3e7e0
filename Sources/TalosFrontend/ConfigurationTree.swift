internal import Diagnostics
internal import Documents

/// A node of a configuration, with its place; trees of several files may be merged into one.
struct ConfigurationNode: Sendable {
  enum Content: Sendable {
    case scalar(YAMLScalar)
    case sequence([ConfigurationNode])
    case mapping([ConfigurationMember])
  }

  var content: Content
  var span: SourceSpan

  init(_ content: Content, at span: SourceSpan) {
    self.content = content
    self.span = span
  }

  init(_ value: YAMLValue, _ places: TextPlaces) {
    span = places.span(of: value.range)
    switch value.content {
    case .scalar(let scalar): content = .scalar(scalar)
    case .sequence(let entries):
      content = .sequence(entries.map { ConfigurationNode($0, places) })
    case .mapping(let members):
      content = .mapping(
        members.map { member in
          ConfigurationMember(
            name: member.name, nameSpan: places.span(of: member.key.range),
            value: ConfigurationNode(member.value, places))
        })
    }
  }

  var mapping: [ConfigurationMember]? {
    switch content {
    case .mapping(let members): members
    case .scalar, .sequence: nil
    }
  }

  var sequence: [ConfigurationNode]? {
    switch content {
    case .sequence(let entries): entries
    case .scalar, .mapping: nil
    }
  }

  var scalar: YAMLScalar? {
    switch content {
    case .scalar(let scalar): scalar
    case .sequence, .mapping: nil
    }
  }

  var isNull: Bool { scalar?.isNull ?? false }

  /// The text of a scalar as Go puts it into a string: nothing for null.
  var text: String? { scalar.map { $0.isNull ? "" : $0.text } }

  /// The value under `name`, or nil where there is none or it is null.
  subscript(name: String) -> ConfigurationNode? {
    guard let value = mapping?.first(where: { $0.name == name })?.value, !value.isNull else {
      return nil
    }
    return value
  }

  /// The value at the end of a path of names.
  func at(_ path: String...) -> ConfigurationNode? {
    var node = self
    for name in path {
      guard let next = node[name] else { return nil }
      node = next
    }
    return node
  }
}

struct ConfigurationMember: Sendable {
  var name: String
  var nameSpan: SourceSpan
  var value: ConfigurationNode
}

/// Where the bytes of a text stand in a file.
enum TextPlaces: Sendable {
  /// The text is the file.
  case file(Int)
  /// The text is a block scalar: each of its lines stands in the file behind an indentation.
  ///
  /// Lines begin in the text and in the file at these offsets.
  case block(file: Int, textLines: [Int], fileLines: [Int])
  /// The text stands somewhere in the span.
  case within(SourceSpan)

  func span(of range: Range<Int>) -> SourceSpan {
    switch self {
    case .file(let file): SourceSpan(file: file, lower: range.lowerBound, upper: range.upperBound)
    case .block(let file, let textLines, let fileLines):
      SourceSpan(
        file: file, lower: Self.offset(range.lowerBound, textLines, fileLines),
        upper: Self.offset(range.upperBound, textLines, fileLines))
    case .within(let span): span
    }
  }

  private static func offset(_ offset: Int, _ text: [Int], _ file: [Int]) -> Int {
    var low = 0
    var high = text.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if text[middle] <= offset { low = middle } else { high = middle }
    }
    return file[low] + offset - text[low]
  }

  /// The places of the text of a scalar that stands at `range` of a file.
  init(of text: [UInt8], at range: Range<Int>, in bytes: [UInt8], file: Int) {
    let newline = UInt8(ascii: "\n")
    let whole = SourceSpan(file: file, lower: range.lowerBound, upper: range.upperBound)
    guard range.lowerBound < bytes.count, bytes[range.lowerBound] == UInt8(ascii: "|"),
      let headEnd = bytes[range.lowerBound...].firstIndex(of: newline)
    else {
      self = .within(whole)
      return
    }
    var fileLines: [Int] = []
    var textLines: [Int] = []
    var place = headEnd + 1
    var start = 0
    var indentation: Int?
    while start < text.count {
      let end = text[start...].firstIndex(of: newline) ?? text.count
      let line = text[start..<end]
      let lineEnd = bytes[min(place, bytes.count)...].firstIndex(of: newline) ?? bytes.count
      var lineStart = place
      if !line.isEmpty {
        // The first line that is not empty tells how far the block is indented.
        let width = indentation ?? (lineEnd - place - line.count)
        indentation = width
        lineStart = place + width
      }
      guard width(place, lineStart, lineEnd), bytes[lineStart..<lineEnd].elementsEqual(line) else {
        self = .within(whole)
        return
      }
      textLines.append(start)
      fileLines.append(lineStart)
      start = end + 1
      place = lineEnd + 1
    }
    func width(_ place: Int, _ lineStart: Int, _ lineEnd: Int) -> Bool {
      place <= lineStart && lineStart <= lineEnd && lineEnd <= bytes.count
    }
    self =
      textLines.isEmpty
      ? .within(whole) : .block(file: file, textLines: textLines, fileLines: fileLines)
  }
}
