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
    case outputLost = 19
  }

  /// What stands before the names of interfaces that the child made up.
  static let interfaceMark = "portproof-interface: "

  /// What stands before the numbers of bytes that are JSON, text and bytecode.
  static let partsMark = "portproof-bytes: "

  /// How often a listing is begun again because the ruleset was changed meanwhile.
  private static let generationAttempts = 5

  /// Does what the arguments after ``argument`` say and returns the exit status.
  package static func run(_ arguments: [String]) -> CInt {
    do throws(Errno) {
      try ChildProcess.confineThisProcess(memory: 8 << 30, processorSeconds: 600)
    } catch {
      return report(.confinementRefused, error)
    }
    switch (arguments.first, arguments.count) {
    case ("list", 1): return list().rawValue
    case ("text", 2): return listText(of: arguments[1]).rawValue
    case ("retell", 1): return Retelling.run()
    case ("translate", 3): return translate(folder: arguments[1], file: arguments[2])
    default: return Status.misused.rawValue
    }
  }

  private static func report(_ status: Status, _ error: Errno) -> CInt {
    say(String(error.rawValue))
    return status.rawValue
  }

  /// Says something to the parent; if the parent is gone there is nobody to tell.
  static func say(_ text: String) { try? StandardStream.error.write(text) }

  /// Lists what is loaded in this network namespace.
  private static func list() -> Status {
    guard Machine.mayAdministerNetwork else { return .notPrivileged }
    return printRuleset()
  }

  /// Prints the ruleset as JSON, and after it as text and bytecode where JSON does not tell all.
  ///
  /// All are of one generation, which is asked for before and after.
  private static func printRuleset() -> Status {
    useUniversalTime()
    for attempt in 1...generationAttempts {
      let generation = RulesetGeneration.current
      guard let context = NftablesContext() else { return .outOfMemory }
      guard context.run("list ruleset") else { return refused(context) }
      let hasGaps = ListingGaps.exist(in: context)
      let hidesTests = ListingGaps.mayHideTests(in: context)
      guard hasGaps || hidesTests else { return copyOutput(of: context) }
      let text = hasGaps ? text(beside: context) : []
      guard let bytecode = NftablesContext() else { return .outOfMemory }
      if hidesTests {
        bytecode.showBytecode()
        guard bytecode.run("list ruleset") else { return refused(bytecode) }
      }
      // The listing follows the bytecode again.
      let bytecodeCount = bytecode.offset(of: "{\"nftables\"", from: 0) ?? 0
      guard let generation, generation == RulesetGeneration.current else {
        guard attempt == generationAttempts else { continue }
        // The JSON alone is one ruleset.
        say("the ruleset was changed while it was being listed, \(attempt) times in a row\n")
        return copyOutput(of: context)
      }
      say("\(partsMark)\(context.outputCount) \(text.count) \(bytecodeCount)\n")
      guard context.copyOutput(), (try? StandardStream.output.write(text)) != nil,
        bytecode.copyOutput(upTo: bytecodeCount)
      else { return .outputLost }
      return .done
    }
    preconditionFailure("the last attempt prints, whatever the generation")
  }

  /// Prints the ruleset as JSON and nothing else.
  static func printJSON() -> Status {
    useUniversalTime()
    guard let context = NftablesContext() else { return .outOfMemory }
    return context.run("list ruleset") ? copyOutput(of: context) : refused(context)
  }

  /// libnftables prints hours of the day in local time; the kernel compares them in UTC.
  private static func useUniversalTime() {
    Machine.setEnvironment("TZ", to: "UTC")
    tzset()
  }

  private static func refused(_ context: borrowing NftablesContext) -> Status {
    say(context.takeErrors())
    return .rejected
  }

  /// The text listing of the ruleset that a context has listed as JSON.
  private static func text(beside context: borrowing NftablesContext) -> [UInt8] {
    let families = ListingGaps.familiesWithExtensions(in: context)
    return families.isEmpty ? listed("") : families.flatMap { listed($0) }
  }

  /// The text listing of a family, or of all (""), by a process of its own; empty where that fails.
  private static func listed(_ family: String) -> [UInt8] {
    let output = try? ChildProcess.run(
      Machine.ownExecutable, [argument, "text", family], timeout: .seconds(120), limit: 4 << 30)
    guard let output, output.ending == .exited(0) else { return [] }
    return output.output
  }

  private static func listText(of family: String) -> Status {
    useUniversalTime()
    guard let context = NftablesContext() else { return .outOfMemory }
    context.write(.text)
    guard context.run("list ruleset \(family)") else { return refused(context) }
    return copyOutput(of: context)
  }

  private static func copyOutput(of context: borrowing NftablesContext) -> Status {
    context.copyOutput() ? .done : .outputLost
  }

  /// Enters a network namespace of this process's own.
  ///
  /// - Returns: The exit status where it may not; what is wrong has been said.
  static func enterNamespace() -> CInt? {
    do throws(Namespaces.EntryError) {
      try Namespaces.enterNetworkNamespace()
    } catch {
      switch error {
      case .userNamespaceRefused(let reason): return report(.userNamespaceRefused, reason)
      case .networkNamespaceRefused(let reason): return report(.networkNamespaceRefused, reason)
      case .mappingRefused(_, let reason): return report(.mappingRefused, reason)
      }
    }
    // Without privilege on the machine libnftables cannot enlarge its socket for a large ruleset.
    portproof_split_large_batches(1)
    return nil
  }

  /// Adds the interfaces that messages miss and that were not made up before.
  ///
  /// - Returns: Whether any was added.
  static func makeUpInterfaces(
    missingIn messages: [NftMessage], beside made: inout Set<String>
  ) -> Bool {
    let missing = Set(messages.compactMap(\.missingInterface))
    let added = missing.subtracting(made).filter { name in
      (try? Namespaces.addInterface(name)) != nil
    }
    made.formUnion(added)
    return !added.isEmpty
  }

  /// Loads a file in a network namespace of its own and lists what the kernel made of it.
  private static func translate(folder: String, file: String) -> CInt {
    if let refusal = enterNamespace() { return refusal }
    do throws(Errno) {
      try Machine.changeFolder(to: folder)
    } catch {
      return report(.folderRefused, error)
    }
    var made: Set<String> = []
    while true {
      guard let context = NftablesContext() else { return Status.outOfMemory.rawValue }
      context.setIncludeFolders([folder, "/etc"])
      if context.load(file) { break }
      let errors = context.takeErrors()
      guard makeUpInterfaces(missingIn: NftMessage.parse(errors), beside: &made) else {
        say(errors)
        return Status.rejected.rawValue
      }
    }
    for name in made.sorted() { say("\(interfaceMark)\(name)\n") }
    return printRuleset().rawValue
  }
}
