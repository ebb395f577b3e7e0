import Diagnostics

/// The files of a plan, each read once, with the includes between them.
struct Library {
  struct File {
    let path: String
    let syntax: FileSyntax
    /// Which file each `include` brings, by where its path stands; nil entries could not be read.
    var includes: [SourceSpan: Int] = [:]
  }

  private(set) var files: [File] = []
  private(set) var diagnostics: [Diagnostic] = []
  /// Whether declarations may be missing because a file is.
  private(set) var isIncomplete = false
  private var indices: [String: Int] = [:]
  /// The files being read, outermost first, with the places that include them.
  private var stack: [(key: String, place: SourceSpan?)] = []

  private static let deepest = 64

  /// Adds a file and all that it includes, and returns its index.
  mutating func add(
    path: String, bytes: [UInt8], sources: inout SourceMap,
    loading: (_ path: String) -> Result<[UInt8], UnreadableFile>
  ) -> Int {
    let key = PathText.normalized(path)
    if let index = indices[key] { return index }
    if stack.isEmpty { stack.append((key, nil)) }
    defer { if stack.count == 1 { stack.removeAll() } }
    return read(key: key, path: path, bytes: bytes, sources: &sources, loading: loading)
  }

  private mutating func read(
    key: String, path: String, bytes: [UInt8], sources: inout SourceMap,
    loading: (_ path: String) -> Result<[UInt8], UnreadableFile>
  ) -> Int {
    let number = sources.add(SourceFile(name: path, bytes: bytes))
    let (syntax, complaints) = Parser.parse(bytes, file: number)
    diagnostics += complaints
    let index = files.count
    files.append(File(path: path, syntax: syntax))
    indices[key] = index
    for include in includes(in: syntax.statements) {
      let target = PathText.resolved(include.text, from: path)
      files[index].includes[include.span] = bring(
        target, include, sources: &sources, loading: loading)
    }
    return index
  }

  private mutating func bring(
    _ path: String, _ include: Word, sources: inout SourceMap,
    loading: (_ path: String) -> Result<[UInt8], UnreadableFile>
  ) -> Int? {
    let key = path
    if let first = stack.firstIndex(where: { $0.key == key }) {
      let way = stack[(first + 1)...].compactMap(\.place)
      diagnostics.append(.includeCycle(include, path: path, way: way))
      isIncomplete = true
      return nil
    }
    if let index = indices[key] { return index }
    guard stack.count < Self.deepest else {
      diagnostics.append(.includesTooDeep(include))
      isIncomplete = true
      return nil
    }
    switch loading(path) {
    case .failure(let failure):
      diagnostics.append(.includeUnreadable(include, path: path, failure.reason))
      isIncomplete = true
      return nil
    case .success(let bytes):
      stack.append((key, include.span))
      defer { stack.removeLast() }
      return read(key: key, path: path, bytes: bytes, sources: &sources, loading: loading)
    }
  }

  private func includes(in statements: [StatementSyntax]) -> [Word] {
    statements.flatMap { statement -> [Word] in
      switch statement.kind {
      case .include(let path): [path]
      case .suite(let suite): includes(in: suite.statements)
      case .host, .group, .service, .firewall, .defaults, .line: []
      }
    }
  }
}

extension Diagnostic {
  fileprivate static func includeCycle(
    _ include: Word, path: String, way: [SourceSpan]
  ) -> Diagnostic {
    Diagnostic(
      .includeCycle, "`\(path)` includes itself", at: include.span,
      label: way.isEmpty ? "this is the file itself" : "back to the beginning",
      secondary: way.map { Label($0, "included from here") },
      help: "move what both need into a third file")
  }

  fileprivate static func includesTooDeep(_ include: Word) -> Diagnostic {
    Diagnostic(
      .nestedTooDeeply, "too many files include one another in a row", at: include.span,
      help: "include `\(include.text)` from the first file")
  }

  fileprivate static func includeUnreadable(
    _ include: Word, path: String, _ reason: String
  ) -> Diagnostic {
    Diagnostic(
      .includeUnreadable, "cannot read `\(path)`: \(reason)", at: include.span,
      help: "paths are relative to the folder of the file that includes")
  }
}
