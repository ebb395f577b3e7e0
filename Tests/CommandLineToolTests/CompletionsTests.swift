import LinuxKernel
import Testing

@testable import CommandLineTool

@Suite("Completions")
struct CompletionsTests {
  /// What bash offers for the last of `words`.
  private func offers(_ words: String...) throws -> Set<String> {
    let quoted = words.map { "'\($0)'" }.joined(separator: " ")
    let script =
      Shell.bash.completions
      + "COMP_WORDS=(portproof \(quoted)); COMP_CWORD=\(words.count); _portproof\n"
      + "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    let output = try ChildProcess.run(
      "/bin/bash", ["-c", script], timeout: .seconds(20), limit: 1 << 20)
    #expect(output.errors == [])
    return Set(
      String(decoding: output.output, as: UTF8.self).split(separator: "\n").map(String.init))
  }

  @Test func `bash completes commands, options and values`() throws {
    #expect(try offers("do") == ["doctor"])
    #expect(try offers("").isSuperset(of: CommandName.allCases.map(\.rawValue)))
    #expect(try offers("doctor", "--form") == ["--format"])
    #expect(try offers("doctor", "--format", "") == ["terminal", "json"])
    #expect(try offers("doctor", "--color", "al") == ["always"])
    #expect(try offers("completions", "f") == ["fish"])
    #expect(try offers("doctor", "--output", "/etc/host").contains("/etc/hostname"))
  }

  @Test(arguments: Shell.allCases) func `every command and option occurs`(shell: Shell) {
    let script = shell.completions
    for command in CommandName.allCases {
      #expect(script.contains(command.rawValue))
      for option in command.row.allOptions { #expect(script.contains(option.rawValue)) }
    }
  }

  @Test(.enabled(if: isToRun("/bin/zsh"), "needs zsh"))
  func `zsh takes the script`() throws { try expectTaken(Shell.zsh, "/bin/zsh") }

  @Test(.enabled(if: isToRun("/usr/bin/fish"), "needs fish"))
  func `fish takes the script`() throws { try expectTaken(Shell.fish, "/usr/bin/fish") }

  /// Whether a shell is here, or must be.
  private static func isToRun(_ path: String) -> Bool {
    Files.exists(path) || Machine.environment("CI") != nil
  }

  private func expectTaken(_ shell: Shell, _ path: String) throws {
    let output = try ChildProcess.run(
      path, ["-n", "-c", shell.completions], timeout: .seconds(20), limit: 1 << 20)
    #expect(output.ending == .exited(0))
  }
}
