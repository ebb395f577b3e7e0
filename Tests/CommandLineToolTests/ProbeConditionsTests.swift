import Testing

@testable import CommandLineTool

@Suite("What decides how much a probe can tell")
struct ProbeConditionsTests {
  @Test func `as many files may be open as there are ports, or it is told`() {
    let enough = ProbeConditions.openFiles(limit: 65_663)
    #expect(enough.standing == .works && enough.detail == "65663 at once" && enough.help == nil)
    let few = ProbeConditions.openFiles(limit: 65_662)
    #expect(few.standing == .lessens && few.help?.contains("ulimit -n 65663") == true)
  }

  @Test func `none of it makes the status other than 0`() {
    #expect(ProbeConditions.findings.allSatisfy { $0.standing != .fails })
    #expect(
      ProbeConditions.findings.map(\.name) == [
        "raw packets", "ping sockets", "echo answers", "ICMP errors", "rp_filter", "open files",
      ])
  }
}
