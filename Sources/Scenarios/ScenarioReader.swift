package import Addresses
package import Diagnostics

/// Why an included file could not be read, as a phrase: `no such file`.
package struct UnreadableFile: Error, Hashable, Sendable {
  package var reason: String

  package init(reason: String) { self.reason = reason }
}

/// Reads scenario files: text in, a plan or complaints out.
package enum ScenarioReader {
  /// A file that the user named.
  package struct Root: Sendable {
    /// The path as diagnostics show it; includes are found relative to its folder.
    package var path: String
    package var bytes: [UInt8]

    package init(path: String, bytes: [UInt8]) {
      self.path = path
      self.bytes = bytes
    }
  }

  /// Reads one file and everything it includes.
  ///
  /// - Parameters:
  ///   - path: The file's path, as diagnostics show it.
  ///   - bytes: The file's text.
  ///   - sources: Receives every file that was read.
  ///   - selfAddresses: The addresses of `self`. Where they are not known (empty), `self` may still
  ///     be the source or the destination of a scenario and then covers every address, which is
  ///     more than was asked; where less would be proved than was asked (`except self`, `on self`,
  ///     `only self`, a group with `self`), that is an error.
  ///   - loading: Gives the text of an included file.
  /// - Returns: The plan, or nil if there is an error; all errors and warnings, in the order of the
  ///   files.
  package static func read(
    path: String, bytes: [UInt8], sources: inout SourceMap, selfAddresses: AddressSet = .empty,
    loading: (_ path: String) -> Result<[UInt8], UnreadableFile>
  ) -> (plan: ScenarioPlan?, diagnostics: [Diagnostic]) {
    read(
      [Root(path: path, bytes: bytes)], sources: &sources, selfAddresses: selfAddresses,
      loading: loading)
  }

  /// Reads several files as if one file included them all.
  ///
  /// - Parameters:
  ///   - roots: The files.
  ///   - sources: Receives every file that was read.
  ///   - selfAddresses: The addresses of `self`, or empty.
  ///   - loading: Gives the text of an included file.
  /// - Returns: The plan, or nil if there is an error; all errors and warnings, in the order of the
  ///   files.
  package static func read(
    _ roots: [Root], sources: inout SourceMap, selfAddresses: AddressSet = .empty,
    loading: (_ path: String) -> Result<[UInt8], UnreadableFile>
  ) -> (plan: ScenarioPlan?, diagnostics: [Diagnostic]) {
    var library = Library()
    let entries = roots.map { root in
      library.add(path: root.path, bytes: root.bytes, sources: &sources, loading: loading)
    }
    var resolver = Resolver(library: library, sources: sources, selfAddresses: selfAddresses)
    let plan = resolver.plan(entries: entries)
    let diagnostics = sorted(library.diagnostics + resolver.diagnostics)
    return (diagnostics.contains { $0.severity == .error } ? nil : plan, diagnostics)
  }

  /// In the order of the files, each complaint once.
  private static func sorted(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
    var seen: Set<Diagnostic> = []
    let unique = diagnostics.filter { seen.insert($0).inserted }
    return unique.enumerated().sorted { left, right in
      guard let a = left.element.primary?.span, let b = right.element.primary?.span else {
        return left.offset < right.offset
      }
      return (a.file, a.lower, left.offset) < (b.file, b.lower, right.offset)
    }.map(\.element)
  }
}
