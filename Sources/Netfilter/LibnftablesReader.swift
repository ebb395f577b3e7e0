package import Diagnostics
internal import LinuxKernel

/// Reads rulesets through libnftables, which runs in a child process of the tool.
///
/// Nothing on the machine is changed: listing is a read, and text is loaded in a network namespace
/// that ends with the child.
package struct LibnftablesReader: Sendable {
  /// A ruleset as libnftables prints it.
  package struct Listing: Hashable, Sendable {
    /// What `nft -j -n -a list ruleset` prints; times of day are in UTC.
    package var json: [UInt8]
    /// What `nft -n -a list ruleset` prints of the same generation, where the JSON has gaps that
    /// text may close.
    package var text: [UInt8]?
    /// The bytecode of all rules as `nft --debug=netlink list ruleset` prints it, of the same
    /// generation, where nft may list rules alike that differ in it.
    package var bytecode: [UInt8]?
    /// Interfaces that the text names and that were made up so that it loads.
    package var madeUpInterfaces: [String]
    /// What libnftables said besides.
    package var remarks: [String]
  }

  /// What became of a text.
  package enum Translation: Hashable, Sendable {
    case loaded(Listing)
    /// nft does not take the text; at least one of the diagnostics is an error.
    case rejected([Diagnostic])
  }

  private let executable: String
  private let timeout: Duration
  private let limit: Int

  /// - Parameters:
  ///   - executable: The tool itself; another path is for tests.
  ///   - timeout: How long libnftables may take.
  ///   - limit: The most bytes of JSON that are taken.
  package init(
    executable: String? = nil, timeout: Duration = .seconds(120),
    limit: Int = 4 << 30
  ) {
    self.executable = executable ?? Machine.ownExecutable
    self.timeout = timeout
    self.limit = limit
  }

  /// The ruleset that is in force in this network namespace.
  ///
  /// - Throws: ``NetfilterError/notPrivileged`` without CAP_NET_ADMIN; the other cases as they say.
  package func listLive() throws(NetfilterError) -> Listing {
    let result = try run(["list"])
    guard result.status == .done else {
      throw failure(result)
    }
    return listing(result)
  }

  /// What the kernel makes of a file of nft commands.
  ///
  /// The file is loaded in a network namespace of its own, without root where the system allows
  /// unprivileged user namespaces. `include` finds files relative to the folder of the file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - sources: Takes the file, and files it includes, so that diagnostics can point into them.
  /// - Returns: The listing, or what nft has against the text.
  /// - Throws: ``NetfilterError`` where the file cannot be read or the environment does not let it
  ///   be loaded.
  package func translate(
    _ path: String, into sources: inout SourceMap
  ) throws(NetfilterError) -> Translation {
    var files = SourceFiles(folder: "", file: "")
    do throws(Errno) {
      let bytes = try Files.read(path)
      guard let absolute = Machine.absolutePath(path), let slash = absolute.lastIndex(of: "/")
      else { throw .noSuchFile }
      let folder = String(absolute[..<slash])
      files = SourceFiles(
        folder: folder.isEmpty ? "/" : folder,
        file: String(absolute[absolute.index(after: slash)...]))
      files.add(SourceFile(name: path, bytes: bytes), as: files.file, to: &sources)
    } catch {
      throw .unreadable(path: path, error)
    }
    let result = try run(["translate", files.folder, files.file])
    switch result.status {
    case .done: return .loaded(listing(result))
    case .rejected:
      let messages = NftMessage.parse(result.words)
      guard messages.contains(where: { $0.severity == .error }) else {
        throw .rejected(message: result.words)
      }
      return .rejected(messages.map { files.diagnostic(for: $0, sources: &sources) })
    case .notPrivileged, .userNamespaceRefused, .networkNamespaceRefused, .mappingRefused,
      .folderRefused, .confinementRefused, .outOfMemory, .misused, .outputLost:
      throw failure(result)
    }
  }

  /// Lists what the kernel makes of commands, in a network namespace of their own.
  ///
  /// What nft or the kernel refuses is left out, with the part of the commands that it belongs to;
  /// the listing has the rest.
  ///
  /// - Parameter commands: Commands in nft's language without line breaks, each with the number of
  ///   its part; the commands of a part follow each other.
  /// - Returns: The listing.
  /// - Throws: ``NetfilterError`` where the environment does not let anything be loaded.
  package func retell(_ commands: [(part: Int, text: String)]) throws(NetfilterError) -> Listing {
    var input: [UInt8] = []
    for (part, text) in commands {
      input += Array("\(part)\t\(text)\n".utf8)
    }
    let result = try run(["retell"], input: input)
    guard result.status == .done else { throw failure(result) }
    return listing(result)
  }

  /// How a child ended that ended by itself.
  private struct Result {
    var status: NetfilterChild.Status
    var output: [UInt8]
    var words: String
  }

  private func run(
    _ arguments: [String], input: [UInt8] = []
  ) throws(NetfilterError) -> Result {
    let output: ChildProcess.Output
    do throws(Errno) {
      output = try ChildProcess.run(
        executable, [NetfilterChild.argument] + arguments, input: input, timeout: timeout,
        limit: limit)
    } catch {
      throw .childFailed(reason: "\(executable): \(error)")
    }
    let words = String(decoding: output.errors, as: UTF8.self)
    switch output.ending {
    case .exited(let status):
      guard let status = NetfilterChild.Status(rawValue: status) else {
        throw .childFailed(reason: "exit status \(status)")
      }
      return Result(status: status, output: output.output, words: words)
    case .signalled(let signal): throw .crashed(signal: signal)
    case .timedOut: throw .timedOut(after: timeout)
    case .wroteTooMuch: throw .tooLarge(limit: limit)
    }
  }

  private func failure(_ result: Result) -> NetfilterError {
    let reason = Errno(rawValue: CInt(result.words) ?? 0)
    switch result.status {
    case .done: preconditionFailure("a child that has done its work has not failed")
    case .rejected: return .rejected(message: result.words)
    case .notPrivileged: return .notPrivileged
    case .userNamespaceRefused: return .namespaceRefused(step: .user, reason)
    case .networkNamespaceRefused: return .namespaceRefused(step: .network, reason)
    case .mappingRefused: return .namespaceRefused(step: .mapping, reason)
    case .folderRefused: return .childFailed(reason: "cannot enter the folder: \(reason)")
    case .confinementRefused: return .childFailed(reason: "cannot limit itself: \(reason)")
    case .outOfMemory: return .childFailed(reason: "out of memory")
    case .misused: return .childFailed(reason: "not understood")
    case .outputLost: return .childFailed(reason: "what it listed could not be written")
    }
  }

  /// nft says so of a statement that it lists as text; the statement itself stands in the listing.
  private static let missingNotation = "have no json callback"

  private func listing(_ result: Result) -> Listing {
    var listing = Listing(
      json: result.output, text: nil, bytecode: nil, madeUpInterfaces: [], remarks: [])
    for line in result.words.split(separator: "\n") {
      if line.hasPrefix(NetfilterChild.interfaceMark) {
        listing.madeUpInterfaces.append(
          String(line.dropFirst(NetfilterChild.interfaceMark.count)))
      } else if line.hasPrefix(NetfilterChild.partsMark) {
        let counts = line.dropFirst(NetfilterChild.partsMark.count).split(separator: " ")
          .compactMap { Int($0) }
        guard counts.count == 3, counts.allSatisfy({ $0 >= 0 }),
          counts.reduce(0, +) == listing.json.count
        else { continue }
        let textEnd = counts[0] + counts[1]
        if counts[1] > 0 { listing.text = Array(listing.json[counts[0]..<textEnd]) }
        if counts[2] > 0 { listing.bytecode = Array(listing.json[textEnd...]) }
        listing.json.removeSubrange(counts[0]...)
      } else if !line.hasSuffix(Self.missingNotation) {
        listing.remarks.append(String(line))
      }
    }
    return listing
  }
}

/// The file that is translated and the ones it includes, under the names nft has for them.
private struct SourceFiles {
  let folder: String
  let file: String
  private var numbers: [String: Int] = [:]

  init(folder: String, file: String) {
    self.folder = folder
    self.file = file
  }

  mutating func add(_ source: SourceFile, as name: String, to sources: inout SourceMap) {
    numbers[name] = sources.add(source)
  }

  mutating func diagnostic(
    for message: NftMessage, sources: inout SourceMap
  ) -> Diagnostic {
    var label: Diagnostic.Label?
    if let place = message.place { label = self.label(for: place, sources: &sources) }
    let severity: Diagnostic.Severity =
      switch message.severity {
      case .error: .error
      case .warning: .warning
      }
    return Diagnostic(
      severity == .error ? "nft.rejected" : "nft.warning", severity,
      "nft: " + message.text.prefix(1).lowercased() + message.text.dropFirst(), at: label)
  }

  private mutating func label(
    for place: NftMessage.Place, sources: inout SourceMap
  ) -> Diagnostic.Label? {
    if numbers[place.file] == nil {
      let path = place.file.hasPrefix("/") ? place.file : folder + "/" + place.file
      guard let bytes = try? Files.read(path) else { return nil }
      add(SourceFile(name: path, bytes: bytes), as: place.file, to: &sources)
    }
    guard let number = numbers[place.file] else { return nil }
    let source = sources[number]
    let lastLine = source.position(of: source.bytes.count).line
    let line = min(place.line, lastLine)
    let start = source.start(ofLine: line)
    let lower = start + max(place.firstColumn - 1, 0)
    return Diagnostic.Label(
      SourceSpan(file: number, lower: lower, upper: max(start + place.lastColumn, lower)))
  }
}
