internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Scenarios

/// Why a command ends before it has done its work; what is wrong has been told.
struct Stop: Error {
  var status: RunStatus
  /// For reports: what went wrong, in one phrase.
  var reason: String
}

/// Reads scenario files from disk.
struct ScenarioLoading {
  let console: Console
  /// Whether warnings are told; errors always are.
  var tellsWarnings = true

  /// Reads the files and everything they include, and tells what is wrong with them.
  ///
  /// - Parameters:
  ///   - paths: The files, as the user named them.
  ///   - further: Text that stands for one more file.
  ///   - sources: Takes every file that is read.
  /// - Returns: The plan, and how many warnings were told.
  /// - Throws: ``Stop`` where there is an error.
  func plan(
    _ paths: [String], and further: ScenarioReader.Root? = nil, sources: inout SourceMap
  ) throws(Stop) -> (plan: ScenarioPlan, warnings: Int) {
    var roots: [ScenarioReader.Root] = []
    for path in paths { roots.append(.init(path: path, bytes: try bytes(of: path))) }
    if let further { roots.append(further) }
    let (plan, diagnostics) = ScenarioReader.read(
      roots, sources: &sources, selfAddresses: Self.ownAddresses
    ) { path in
      do throws(Errno) {
        return .success(try Files.read(path, limit: Self.sizeLimit))
      } catch {
        return .failure(UnreadableFile(reason: error.description))
      }
    }
    for diagnostic in diagnostics where tellsWarnings || diagnostic.severity == .error {
      console.say(diagnostic, sources: sources)
    }
    let errors = diagnostics.count { $0.severity == .error }
    guard let plan else {
      throw Stop(
        status: .unusable,
        reason: errors == 1
          ? "the scenario has an error"
          : "the scenario has \(errors) errors")
    }
    return (plan, diagnostics.count { $0.severity == .warning })
  }

  /// What a file holds.
  ///
  /// - Throws: ``Stop`` where it cannot be read, which has been told.
  func bytes(of path: String) throws(Stop) -> [UInt8] {
    do throws(Errno) {
      return try Files.read(path, limit: Self.sizeLimit)
    } catch {
      throw console.stop(
        Diagnostic("scenario.unreadable", .error, "cannot read '\(path)': \(error)", at: nil))
    }
  }

  static let sizeLimit = 256 << 20

  /// The addresses of `self`; empty where the kernel does not tell.
  static var ownAddresses: AddressSet {
    guard let own = try? OwnAddress.all() else { return .empty }
    return own.reduce(AddressSet.empty) { set, address in
      set.union(
        AddressSet(IPAddress(address.isIPv6 ? .ipv6 : .ipv4, rawValue: address.number)))
    }
  }
}
