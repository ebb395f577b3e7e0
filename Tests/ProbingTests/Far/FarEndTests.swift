import Foundation
import Glibc
import LinuxKernel
import Probing
import Testing

@Suite("A far end")
struct FarEndTests {
  private func failure(
    _ words: [String], within patience: Duration = .seconds(10)
  ) throws -> FarEndError {
    let assignment = try ResponderTests.assignment(tcp: "", udp: "")
    do {
      _ = try FarEnd("cp1", starting: words, assignment, within: patience)
    } catch {
      return error
    }
    throw FarSideFailure(description: "\(words) is a far end")
  }

  @Test func `is no program that is not there`() throws {
    for word in ["no-such-program-of-portproof", "/nowhere/portproof", "/etc/passwd", "/"] {
      let error = try failure([word])
      #expect(error.problem == .noSuchProgram(word))
      #expect(error.description.contains("'cp1' cannot be started"))
    }
    #expect(try failure([]).problem == .noSuchProgram(""))
  }

  @Test func `is no program that talks of something else`() throws {
    let error = try failure(["sh", "-c", "echo hello"])
    guard case .nonsense("hello", _) = error.problem else {
      Issue.record("\(error)")
      return
    }
    // It goes on for ever, and escapes are not for the terminal.
    let endless = try failure(["sh", "-c", "while :; do printf '\\033[2J\\n'; done"])
    guard case .nonsense("?[2J", _) = endless.problem else {
      Issue.record("\(endless)")
      return
    }
    let unending = try failure(["sh", "-c", "exec cat /dev/zero"], within: .seconds(60))
    guard case .nonsense = unending.problem else {
      Issue.record("\(unending)")
      return
    }
  }

  @Test func `tells what an agent that ends has said`() throws {
    let error = try failure(["sh", "-c", "echo one >&2; echo no such host >&2; exit 3"])
    #expect(error.problem == .ended(.readiness))
    #expect(error.errors == "one / no such host")
    #expect(
      error.description
        == "the agent of 'cp1' ended before it said that it is ready; it says: one / no such host")
  }

  @Test func `is given up, and gone, when it says nothing`() throws {
    let file = NSTemporaryDirectory() + "/far-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let error = try failure(
      ["sh", "-c", "echo $$ > '\(file)'; exec sleep 600"], within: .milliseconds(700))
    #expect(error.problem == .silent(.readiness, seconds: 1))
    let process = try #require(
      pid_t(String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)))
    #expect(kill(process, 0) == -1 && errno == ESRCH)
  }

  @Test func `refuses an assignment that makes no sense, with status 2`() throws {
    let key = String(repeating: "00", count: 32)
    let valid =
      #"{"schema":"portproof.respond/1","key":"\#(key)","addresses":["127.0.0.1"],"peers":[],"#
      + #""tcp":"","udp":"","seconds":20,"connect":false}"#
    let cases: [(input: String, events: [String])] = [
      ("", ["error"]), ("\n", ["error"]), ("{}\n", ["error"]), ("\u{0}\u{1}", ["error"]),
      (valid.replacing("20", with: "0") + "\n", ["error"]),
      (valid + "\nnonsense\n", ["ready", "error", "end"]),
      (valid + "\n{\"command\":\"sync\"}\n", ["ready", "error", "end"]),
    ]
    for (input, events) in cases {
      let output = try ChildProcess.run(
        FarSide.program(), ["respond", "--assignment", "-"], input: Array(input.utf8),
        timeout: .seconds(30), limit: 1 << 20)
      #expect(output.ending == .exited(2), "\(input)")
      let lines = String(decoding: output.output, as: UTF8.self).split(separator: "\n")
      #expect(lines.count == events.count, "\(lines)")
      for (line, event) in zip(lines, events) {
        #expect(line.hasPrefix("{\"event\":\"\(event)\""), "\(line)")
      }
    }
    // A driver that is gone is no error.
    let gone = try ChildProcess.run(
      FarSide.program(), ["respond", "--assignment", "-"],
      input: Array((valid + "\n{\"command\":\"sync\",\"id\":4}\n").utf8), timeout: .seconds(30),
      limit: 1 << 20)
    #expect(gone.ending == .exited(0))
    let text = String(decoding: gone.output, as: UTF8.self)
    #expect(
      text.contains(
        "{\"event\":\"synced\",\"id\":4}\n{\"event\":\"end\",\"because\":\"input-ended\""))
  }

  @Test(canMakeFarSide) func `ends by itself after its time, and that is told`() async throws {
    try await FarSide.with { side in
      let farEnd = try FarEnd(
        "far", starting: side.agent(), ResponderTests.assignment(tcp: "22", udp: "", seconds: 4),
        within: .seconds(20))
      #expect(try side.listeners().count == 2)
      Clocks.sleep(.seconds(4))
      #expect(try side.listeners() == [])
      do throws(FarEndError) {
        _ = try farEnd.stop(within: .seconds(5))
        Issue.record("it was there for all of the run")
      } catch {
        #expect(error.problem == .endedEarly(because: .elapsed))
      }
    }
  }

  @Test(canMakeFarSide, arguments: [SIGINT, SIGTERM])
  func `ends at a signal, with its last line`(signal: Int32) async throws {
    try await FarSide.with { side in
      let farEnd = try FarEnd(
        "far", starting: side.agent(), ResponderTests.assignment(tcp: "22", udp: "53"),
        within: .seconds(20))
      #expect(kill(farEnd.processID, signal) == 0)
      do throws(FarEndError) {
        Clocks.sleep(.milliseconds(500))
        #expect((try? side.listeners()) == [])
        _ = try farEnd.stop(within: .seconds(5))
        Issue.record("nothing was noticed")
      } catch {
        #expect(error.problem == .endedEarly(because: .interrupted))
      }
    }
  }

  @Test(canMakeFarSide) func `leaves nothing when it is killed`() async throws {
    try await FarSide.with { side in
      var farEnd = try FarEnd(
        "far", starting: side.agent(), ResponderTests.assignment(tcp: "1-100", udp: "53"),
        within: .seconds(20))
      #expect(try side.listeners().count == 202)
      #expect(kill(farEnd.processID, SIGKILL) == 0)
      do throws(FarEndError) {
        try farEnd.sync(within: .seconds(5))
        Issue.record("nothing was noticed")
      } catch {
        #expect(error.problem == .ended(.sync))
      }
      #expect(try side.listeners() == [])
    }
  }

  @Test(canMakeFarSide) func `ends when its prober is killed`() async throws {
    try await FarSide.with { side in
      let line = String(
        decoding: try ResponderTests.assignment(tcp: "1-100", udp: "53").json, as: UTF8.self)
      // A prober that has the agent's ends of both pipes, and says who the agent is.
      let script = """
        PATH=/usr/sbin:/sbin:$PATH
        coproc "$@"
        printf '%s\\n' '\(line)' >&"${COPROC[1]}"
        read -r ready <&"${COPROC[0]}"
        echo "$COPROC_PID ${ready:0:16}"
        read -r never <&"${COPROC[0]}"
        """
      let prober = try KeptChild(
        "/bin/bash",
        try ["-c", script, "prober"] + side.agent() + ["respond", "--assignment", "-"])
      var said: [UInt8] = []
      while said.last != UInt8(ascii: "\n") {
        said += try prober.receive(1, until: Clocks.monotonic + .seconds(20))
      }
      let words = String(decoding: said, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      let agent = try #require(pid_t(words[0]))
      #expect(words[1] == "{\"event\":\"ready\"")
      #expect(try side.listeners().count == 202)
      #expect(kill(agent, 0) == 0)
      #expect(kill(prober.processID, SIGKILL) == 0)
      var isThere = true
      for _ in 0..<100 where isThere {
        isThere = try !side.listeners().isEmpty
        Clocks.sleep(.milliseconds(20))
      }
      #expect(!isThere)
    }
  }
}
