internal import Diagnostics
internal import LinuxKernel
internal import Probing

/// Reads the file that `--agents` names.
struct AgentsLoading {
  let console: Console

  /// Reads a file of agents and tells what is wrong with it.
  ///
  /// What it names is run, so nobody but its owner may have written it, who is this user or root.
  ///
  /// - Throws: ``Stop`` where something is wrong.
  func agents(_ path: String, sources: inout SourceMap) throws(Stop) -> AgentsFile {
    let bytes: [UInt8]
    let permissions: Files.Permissions
    do throws(Errno) {
      let file = try Descriptor(reading: path)
      permissions = try file.permissions()
      bytes = try file.readAll(limit: 1 << 20)
    } catch {
      throw console.stop(
        Diagnostic("agents.unreadable", .error, "cannot read '\(path)': \(error)", at: nil))
    }
    guard permissions.mode & 0o022 == 0 else {
      throw console.stop(
        Diagnostic(
          "agents.not-private", .error, "others can change '\(path)', whose words are run",
          at: nil, help: "chmod go-w \(path)"))
    }
    guard permissions.owner == 0 || permissions.owner == Machine.effectiveUserID else {
      throw console.stop(
        Diagnostic(
          "agents.not-own", .error, "'\(path)', whose words are run, is another user's", at: nil))
    }
    let number = sources.add(SourceFile(name: path, bytes: bytes))
    var diagnostics: [Diagnostic] = []
    let file = AgentsFile(reading: bytes, file: number, diagnostics: &diagnostics)
    for diagnostic in diagnostics { console.say(diagnostic, sources: sources) }
    guard let file else {
      throw Stop(status: .unusable, reason: "cannot make sense of '\(path)'")
    }
    return file
  }
}
