internal import Diagnostics
internal import LinuxKernel
internal import Replay

/// Writes the directories that reproduce disagreements.
struct BundleWriting {
  static let defaultFolder = "portproof-mismatch"
  /// More than this many are not written: one that is understood explains the others.
  private static let most = 16

  private let folder: String
  private let console: Console
  private var written: [Difference: String] = [:]
  private var names: Set<String> = []

  init(folder: String, console: Console) {
    self.folder = folder
    self.console = console
  }

  /// Writes what reproduces a difference, once.
  ///
  /// - Parameters:
  ///   - difference: What differs.
  ///   - firewall: The firewall it was seen at.
  ///   - name: What the line is called.
  /// - Returns: The directory; nil where it cannot be written, which is told.
  mutating func write(
    _ difference: Difference, _ firewall: ReplayedFirewall, named name: String
  ) -> String? {
    if let path = written[difference] { return path }
    guard written.count < Self.most else { return nil }
    let path = folder + "/" + unused(name)
    let bundle = MismatchBundle(difference, firewall)
    do throws(Errno) {
      try Files.makeFolders(path)
      for (file, bytes) in bundle.files { try Files.replace("\(path)/\(file)", with: bytes) }
    } catch {
      console.say(
        Diagnostic("output.unwritable", .error, "cannot write '\(path)': \(error)", at: nil))
      return nil
    }
    written[difference] = path
    return path
  }

  /// A name for a directory, which no other of this run has.
  private mutating func unused(_ name: String) -> String {
    let plain = String(
      name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) ? $0 : "-" })
    var candidate = plain.drop { $0 == "." }.isEmpty ? "line" : plain
    var number = 2
    while !names.insert(candidate).inserted {
      candidate = "\(plain)-\(number)"
      number += 1
    }
    return candidate
  }
}
