internal import CLinuxShims
internal import Glibc
internal import LinuxKernel

/// The half of this module that runs in a child process of the tool.
package enum NetfilterChild {
  /// The hidden first argument that makes the tool such a child.
  package static let argument = "--internal-netfilter"

  /// How the child tells its parent what happened; what it says besides is on standard error.
  enum Status: CInt {
    case done = 0
    /// libnftables or the kernel refused; standard error has nft's words.
    case rejected = 10
    case notPrivileged = 11
    /// Standard error has the number of the `Errno`, as for the following ones.
    case userNamespaceRefused = 12
    case networkNamespaceRefused = 13
    case mappingRefused = 14
    case folderRefused = 15
    case confinementRefused = 16
    case outOfMemory = 17
    case misused = 18
  }

  /// What stands before the names of interfaces that the child made up.
  static let interfaceMark = "portproof-interface: "

  /// Does what the arguments after ``argument`` say and returns the exit status.
  package static func run(_ arguments: [String]) -> CInt {
    do throws(Errno) {
      try ChildProcess.confineThisProcess(memory: 8 << 30, processorSeconds: 600)
    } catch {
      return report(.confinementRefused, error)
    }
    switch (arguments.first, arguments.count) {
    case ("list", 1): return list().rawValue
    case ("translate", 3): return translate(folder: arguments[1], file: arguments[2])
    default: return Status.misused.rawValue
    }
  }

  private static func report(_ status: Status, _ error: Errno) -> CInt {
    say(String(error.rawValue))
    return status.rawValue
  }

  /// Says something to the parent; if the parent is gone there is nobody to tell.
  private static func say(_ text: String) { try? StandardStream.error.write(text) }

  /// Lists what is loaded in this network namespace.
  private static func list() -> Status {
    guard Machine.mayAdministerNetwork else { return .notPrivileged }
    return printRuleset()
  }

  private static func printRuleset() -> Status {
    // libnftables prints hours of the day in local time; the kernel compares them in UTC.
    Machine.setEnvironment("TZ", to: "UTC")
    tzset()
    guard let context = NftablesContext() else { return .outOfMemory }
    if context.run("list ruleset") { return .done }
    say(context.takeErrors())
    return .rejected
  }

  /// Loads a file in a network namespace of its own and lists what the kernel made of it.
  private static func translate(folder: String, file: String) -> CInt {
    do throws(Namespaces.EntryError) {
      try Namespaces.enterNetworkNamespace()
    } catch {
      switch error {
      case .userNamespaceRefused(let reason): return report(.userNamespaceRefused, reason)
      case .networkNamespaceRefused(let reason): return report(.networkNamespaceRefused, reason)
      case .mappingRefused(_, let reason): return report(.mappingRefused, reason)
      }
    }
    do throws(Errno) {
      try Machine.changeFolder(to: folder)
    } catch {
      return report(.folderRefused, error)
    }
    // Without privilege on the machine libnftables cannot enlarge its socket for a large ruleset.
    portproof_split_large_batches(1)

    var made: Set<String> = []
    while true {
      guard let context = NftablesContext() else { return Status.outOfMemory.rawValue }
      context.setIncludeFolders([folder, "/etc"])
      if context.load(file) { break }
      let errors = context.takeErrors()
      let missing = Set(NftMessage.parse(errors).compactMap(\.missingInterface))
      let added = missing.subtracting(made).filter { name in
        (try? Namespaces.addInterface(name)) != nil
      }
      guard !added.isEmpty else {
        say(errors)
        return Status.rejected.rawValue
      }
      made.formUnion(added)
    }
    for name in made.sorted() { say("\(interfaceMark)\(name)\n") }
    return printRuleset().rawValue
  }
}
