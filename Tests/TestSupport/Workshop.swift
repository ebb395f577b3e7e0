import Foundation
package import LinuxKernel

/// A folder for a test, with the tool and with programs around it.
package final class Workshop {
  package let folder: String
  /// The tool; in the folder, where every user may run it, unless it is only for this one.
  package let tool: String

  /// What could not be made.
  package struct Failure: Error {
    package let command: String
    package let ending: ChildProcess.Ending
    package let errors: String
  }

  /// - Parameter isForAll: Whether users without privilege run the tool, so that it is copied to
  ///   where they may read it.
  /// - Throws: What could not be made.
  package init(isForAll: Bool = true) throws {
    let built = try Self.builtTool()
    folder = NSTemporaryDirectory() + "/portproof-workshop-\(UUID().uuidString)"
    tool = isForAll ? folder + "/portproof" : built
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    if isForAll { try Self.write("cp \(built) \(tool)", to: tool) }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// The tool that was built together with the program that runs the tests.
  package static func builtTool() throws -> String {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
  }

  /// Writes a file into the folder, and returns its path.
  package func write(_ name: String, _ text: String) throws -> String {
    let path = folder + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// A program that runs `commands`, in which `$TOOL` is the tool.
  package func program(_ commands: String) throws -> String {
    let path = folder + "/program-\(UUID().uuidString)"
    try Self.write(
      "cat >\(path)", to: path, input: Array("#!/bin/sh\nTOOL=\(tool)\n\(commands)\n".utf8))
    return path
  }

  /// Writes a program, in a process of its own.
  ///
  /// A program that some process has open for writing cannot be run, and what this process has
  /// open others may inherit for a moment.
  private static func write(_ command: String, to path: String, input: [UInt8] = []) throws {
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "\(command) && chmod 755 \(path)"], input: input, timeout: .seconds(30),
      limit: 1 << 16)
    guard output.ending == .exited(0) else {
      throw Failure(
        command: command, ending: output.ending,
        errors: String(decoding: output.errors, as: UTF8.self))
    }
  }

  /// The tool as a user without any privilege.
  package func unprivileged() throws -> String {
    try program(
      "exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "
        + "--bounding-set=-all $TOOL \"$@\"")
  }

  package func tool(isPrivileged: Bool) throws -> String {
    isPrivileged ? tool : try unprivileged()
  }
}
