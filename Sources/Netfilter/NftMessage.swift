/// One message of nft: `rules.nft:7:9-12: Error: syntax error, unexpected newline`.
package struct NftMessage: Hashable, Sendable {
  package enum Severity: Hashable, Sendable {
    case error
    case warning
  }

  /// Where the message points to; columns count bytes from 1, both ends included.
  package struct Place: Hashable, Sendable {
    package var file: String
    package var line: Int
    package var firstColumn: Int
    package var lastColumn: Int
  }

  package var place: Place?
  package var severity: Severity
  package var text: String
  /// The line of the file, as nft repeats it.
  package var sourceLine: String?

  /// The messages in what nft wrote to its error stream; other lines are context or carets.
  package static func parse(_ output: String) -> [NftMessage] {
    let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
    var messages: [NftMessage] = []
    for (index, line) in lines.enumerated() {
      guard var message = NftMessage(line: line) else { continue }
      if message.place != nil, index + 1 < lines.count {
        message.sourceLine = String(lines[index + 1])
      }
      messages.append(message)
    }
    return messages
  }

  private init?(line: Substring) {
    for (severity, word) in [(Severity.error, "Error: "), (.warning, "Warning: ")] {
      guard let mark = line.firstRange(of: word) else { continue }
      let before = line[..<mark.lowerBound]
      guard before.isEmpty || before.hasSuffix(": ") else { continue }
      self.severity = severity
      text = String(line[mark.upperBound...])
      place = Place(before.dropLast(2))
      return
    }
    return nil
  }

  /// The interface that would have to exist for the text to load.
  package var missingInterface: String? {
    guard text == "Interface does not exist", let place, let sourceLine else { return nil }
    let bytes = Array(sourceLine.utf8)
    guard place.firstColumn >= 1, place.firstColumn <= place.lastColumn,
      place.lastColumn <= bytes.count
    else { return nil }
    let name = bytes[(place.firstColumn - 1)..<place.lastColumn]
      .filter { $0 != UInt8(ascii: "\"") }
    // net/core/dev.c: dev_valid_name.
    guard !name.isEmpty, name.count < 16, !name.contains(UInt8(ascii: "/")),
      !name.contains(where: { $0 <= UInt8(ascii: " ") })
    else { return nil }
    return String(decoding: name, as: UTF8.self)
  }
}

extension NftMessage.Place {
  /// Reads `file:line:first-last`.
  init?(_ text: Substring) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count >= 3, let line = Int(parts[parts.count - 2]), line > 0 else { return nil }
    let columns = parts[parts.count - 1].split(separator: "-").map { Int($0) }
    guard columns.count == 2, let first = columns[0], let last = columns[1] else { return nil }
    self.init(
      file: parts.dropLast(2).joined(separator: ":"), line: line, firstColumn: first,
      lastColumn: last)
  }
}
