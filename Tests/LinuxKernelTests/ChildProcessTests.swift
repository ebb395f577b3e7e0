import LinuxKernel
import Testing

@Suite("Child processes")
struct ChildProcessTests {
  @Test func `what a child writes comes back, streams apart`() throws {
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "echo out; echo err >&2; exit 7"], timeout: .seconds(20), limit: 100)
    #expect(output.ending == .exited(7))
    #expect(output.output == Array("out\n".utf8))
    #expect(output.errors == Array("err\n".utf8))
  }

  @Test func `more than a pipe holds comes back whole`() throws {
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "yes 0123456 | head -c 3000000; yes x | head -c 500000 >&2"],
      timeout: .seconds(20), limit: 1 << 24)
    #expect(output.ending == .exited(0))
    #expect(output.output.count == 3_000_000)
    #expect(output.errors.count == 500_000)
  }

  @Test func `a crash is an answer`() throws {
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "kill -ABRT $$"], timeout: .seconds(20), limit: 100)
    #expect(output.ending == .signalled(6))
  }

  @Test func `a child that takes too long is ended`() throws {
    let start = Clocks.monotonic
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "exec sleep 30"], timeout: .milliseconds(200), limit: 100)
    #expect(output.ending == .timedOut)
    #expect(Clocks.monotonic - start < .seconds(10))
  }

  @Test func `a child that writes too much is ended`() throws {
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "exec yes"], timeout: .seconds(20), limit: 1 << 20)
    #expect(output.ending == .wroteTooMuch)
  }

  @Test func `a program that is not there is an error`() throws {
    #expect(throws: Errno.noSuchFile) {
      try ChildProcess.run("/nowhere/at/all", [], timeout: .seconds(1), limit: 1)
    }
  }

  @Test func `nothing but the three streams is inherited`() throws {
    let pipe = try Descriptor.pipe()
    let output = try ChildProcess.run(
      "/bin/sh", ["-c", "exec ls /proc/self/fd"], timeout: .seconds(20), limit: 1000)
    // The fourth is the folder that `ls` reads.
    #expect(String(decoding: output.output, as: UTF8.self) == "0\n1\n2\n3\n")
    _ = consume pipe
  }
}
