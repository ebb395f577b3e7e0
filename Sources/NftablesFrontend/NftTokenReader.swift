internal import Diagnostics

/// Reads the tokens of nft text that tell where statements begin and end.
///
/// Everything between blanks, braces, quotes and separators is one word, whatever nft makes of it.
/// A file that is included is read in the place of the statement that includes it.
///
/// Source: nft 1.0.6, src/scanner.l.
struct NftTokenReader {
  enum Kind: Hashable {
    case word
    /// Text in quotes, which may hold line breaks; nft has no escapes in it.
    case string
    case open
    case close
    /// A line break or a semicolon.
    case separator
    /// The end of the outermost file.
    case end
  }

  struct Token {
    var kind: Kind
    var span: SourceSpan
  }

  private struct Text {
    let file: Int
    let bytes: [UInt8]
    var offset = 0
  }

  private var current: Text
  /// The files that wait for the end of an included one, outermost first.
  private var waiting: [Text] = []
  private var pending: Token?

  init(_ bytes: [UInt8], file: Int) { current = Text(file: file, bytes: bytes) }

  /// Goes on with another file, and with this one after it.
  mutating func enter(_ bytes: [UInt8], file: Int) {
    waiting.append(current)
    current = Text(file: file, bytes: bytes)
  }

  /// Gives the token back that was read last: it is read again.
  mutating func putBack(_ token: Token) { pending = token }

  mutating func next() -> Token {
    if let token = pending {
      pending = nil
      return token
    }
    while true {
      guard current.offset < current.bytes.count else {
        guard let outer = waiting.popLast() else { return token(.end, from: current.offset) }
        current = outer
        continue
      }
      let start = current.offset
      current.offset += 1
      switch current.bytes[start] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): continue
      case UInt8(ascii: "\n"), UInt8(ascii: ";"): return token(.separator, from: start)
      case UInt8(ascii: "{"): return token(.open, from: start)
      case UInt8(ascii: "}"): return token(.close, from: start)
      case UInt8(ascii: "#"): skip { $0 == UInt8(ascii: "\n") }
      case UInt8(ascii: "\""):
        skip { $0 == UInt8(ascii: "\"") }
        current.offset = min(current.offset + 1, current.bytes.count)
        return token(.string, from: start)
      case UInt8(ascii: "\\") where isAtLineBreak: current.offset += 1
      default:
        skipWord()
        return token(.word, from: start)
      }
    }
  }

  /// The bytes of the token that was read last.
  func bytes(of token: Token) -> ArraySlice<UInt8> {
    current.bytes[token.span.lower..<token.span.upper]
  }

  /// The text of the token that was read last, without quotes.
  func text(of token: Token) -> String {
    var bytes = bytes(of: token)
    if token.kind == .string {
      bytes = bytes.dropFirst()
      if bytes.last == UInt8(ascii: "\"") { bytes = bytes.dropLast() }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func token(_ kind: Kind, from start: Int) -> Token {
    Token(
      kind: kind, span: SourceSpan(file: current.file, lower: start, upper: current.offset))
  }

  private var isAtLineBreak: Bool {
    current.offset < current.bytes.count && current.bytes[current.offset] == UInt8(ascii: "\n")
  }

  private mutating func skip(until isEnd: (UInt8) -> Bool) {
    while current.offset < current.bytes.count, !isEnd(current.bytes[current.offset]) {
      current.offset += 1
    }
  }

  private mutating func skipWord() {
    while current.offset < current.bytes.count {
      switch current.bytes[current.offset] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"),
        UInt8(ascii: ";"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "#"),
        UInt8(ascii: "\""):
        return
      case UInt8(ascii: "\\"):
        current.offset += 1
        if isAtLineBreak {
          current.offset -= 1
          return
        }
      default: current.offset += 1
      }
    }
  }
}
