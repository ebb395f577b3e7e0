import Addresses
import Diagnostics
import Foundation
import Netfilter
import NftablesFrontend
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing

@Suite("The trace of the kernel")
struct TraceTests {
  private let text = """
    table inet first {
      chain helper {
        udp dport 54 accept
        counter return
      }
      chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 22 accept
        counter
        udp dport { 53, 54 } jump helper
        meta l4proto udp goto last
      }
      chain last {
        udp sport 1 accept
      }
    }
    table ip second {
      map ways { type inet_service : verdict; elements = { 53 : jump dropping } }
      chain dropping {
        ip saddr 10.0.0.5 drop
      }
      chain input {
        type filter hook input priority 10; policy drop;
        udp dport vmap @ways
      }
      chain forward {
        type filter hook forward priority 0; policy drop;
        ip ttl 1 accept
      }
    }

    """

  /// The model of the text, which a translation gives it.
  private func model(_ workshop: Workshop) throws -> Ruleset {
    let file = workshop.folder + "/trace.nft"
    try text.write(toFile: file, atomically: false, encoding: .utf8)
    var sources = SourceMap()
    let translation = try LibnftablesReader(executable: workshop.tool)
      .translate(file, into: &sources)
    guard case .loaded(let listing) = translation else { throw CocoaError(.coderInvalidValue) }
    return try #require(
      NftablesReader.read(listing.json, name: "trace.json", sources: &sources).ruleset)
  }

  private func words(_ trace: [TraceStep], _ model: Ruleset?) -> [String] {
    trace.map { step in
      var text = "\(step.hook) \(step.family) \(step.table) \(step.chain): "
      if let location = step.location, let model {
        let chain = model.tables[location.table].chains[location.chain]
        text += location.rule.map { "rule \($0) of \(chain.rules.count)" } ?? "\(step.cause)"
      } else {
        text += "?"
      }
      return text + " \(step.decision)"
    }
  }

  @Test(canUnshare, arguments: [true, false])
  func `tells the rules that a packet passed`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    let model = try model(workshop)
    var session = try SandboxSession(
      host: try twoNetworks(), executable: try workshop.tool(isPrivileged: isPrivileged))
    var away = question
    away.bytes.replaceSubrange(16..<20, with: [10, 1, 0, 9])
    away.bytes.replaceSubrange(10..<12, with: [0x54, 0x8F])
    // Handles grow from load to load; places do not.
    for _ in 0..<2 {
      try session.load(Array(text.utf8), model: model)
      let answers = try session.answers(for: [question, away, question])
      #expect(answers.map { $0.verdicts[.input] } == [.drop, nil, .drop])
      #expect(answers[0] == answers[2])
      #expect(
        words(answers[0].trace, model) == [
          "input inet first input: rule 1 of 4 continue",
          "input inet first input: rule 2 of 4 jump(\"helper\")",
          "input inet first helper: rule 1 of 2 return",
          "input inet first input: rule 3 of 4 goto(\"last\")",
          "input inet first last: endOfChain continue",
          "input inet first input: policy accept",
          "input ip second input: rule 0 of 1 jump(\"dropping\")",
          "input ip second dropping: rule 0 of 1 drop",
        ])
      #expect(
        words(answers[1].trace, model) == ["forward ip second forward: policy drop"])
    }
  }

  @Test(canUnshare) func `follows what the host sends to itself, and not the answer`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(
      Array(
        """
        table ip t {
          chain i { type filter hook input priority 0; iifname "lo" udp dport 53 reject; }
          chain o { type filter hook output priority 0; counter; }
        }

        """.utf8))
    var own = SandboxPacket(bytes: question.bytes, origin: .local)
    own.bytes.replaceSubrange(12..<20, with: [10, 0, 0, 1, 10, 1, 0, 1])
    let answers = try session.answers(for: [own, question])
    #expect(
      words(answers[0].trace, nil) == [
        "output ip t o: ? continue", "output ip t o: ? accept", "input ip t i: ? drop",
      ])
    #expect(answers[0].verdicts[.input] == .drop)
    #expect(words(answers[1].trace, nil) == ["input ip t i: ? accept"])
    // Without a trace the same verdicts.
    let verdicts = try session.verdicts(for: [own, question])
    #expect(verdicts == answers.map(\.verdicts))
  }
}
