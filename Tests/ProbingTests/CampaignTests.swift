import Addresses
import Scenarios
import Testing

@testable import Probing

/// The order of questions, on a network that is made up.
@Suite struct CampaignTests {
  /// A target with open ports that loses the packets whose number `isLost` names.
  private final class Target {
    let open: Set<UInt16>
    var isLost: (Int) -> Bool = { _ in false }
    /// Every call's probes, in order.
    private(set) var calls: [[Probe]] = []
    private var packets = 0
    /// After so many calls nothing is answered.
    var lastAnsweredCall = Int.max

    init(open: Set<UInt16>) { self.open = open }

    func send(_ questions: [ProbeCampaign.Question]) -> [Observation] {
      let probes = questions.map(\.probe)
      calls.append(probes)
      return probes.map { probe in
        guard case .tcp(let port) = probe.kind, open.contains(port),
          calls.count <= lastAnsweredCall
        else {
          packets += probe.transmissions
          return Observation(.silence, transmissions: probe.transmissions)
        }
        for transmission in 1...probe.transmissions {
          packets += 1
          if !isLost(packets) {
            return Observation(.synAcknowledgement, transmissions: transmission)
          }
        }
        return Observation(.silence, transmissions: probe.transmissions)
      }
    }
  }

  private func run(
    _ text: String, against target: Target, canaries: [Probe.Kind] = []
  ) throws -> (plan: ProbePlan, result: ProbeCampaign.Result) {
    let scenario = try Plans.read("host a = 10.0.0.1\nhost b = 10.0.0.2\n" + text)
    let plan = try ProbePlan(of: scenario, from: Plans.addresses("10.0.0.1"))
    let campaign = ProbeCampaign(plan, flows: scenario.flows, canaries: canaries)
    return (plan, campaign.run { questions in target.send(questions) })
  }

  @Test func `what is allowed is asked first, and once more after what is silent`() throws {
    let target = Target(open: [22])
    let (plan, result) = try run(
      "a -> b 23 tcp expect deny\na -> b 22 tcp expect allow", against: target)
    #expect(target.calls.map { $0.map(\.kind) } == [[.tcp(22)], [.tcp(23)], [.tcp(22)]])
    let pair = ProbeCampaign.Pair(plan.probes[0])
    #expect(result.lives[pair] == TargetLife(before: true, after: true))
    #expect(result.canaries[pair]?.hasPrefix("tcp/22 of 10.0.0.2 answered before") == true)
  }

  @Test func `nothing is asked again where nothing is silent`() throws {
    let target = Target(open: [22])
    _ = try run("a -> b 22 tcp expect allow", against: target)
    #expect(target.calls.count == 1)
  }

  @Test func `a target that dies on the way shows no life after`() throws {
    let target = Target(open: [22])
    target.lastAnsweredCall = 1
    let (plan, result) = try run(
      "a -> b 23 tcp expect deny\na -> b 22 tcp expect allow", against: target)
    let pair = ProbeCampaign.Pair(plan.probes[0])
    #expect(result.lives[pair] == TargetLife(before: true, after: false))
  }

  @Test func `what the user names shows life where no line does`() throws {
    let target = Target(open: [22])
    let (plan, result) = try run(
      "a -> b 23 tcp expect deny", against: target, canaries: [.tcp(22)])
    let pair = ProbeCampaign.Pair(plan.probes[0])
    #expect(result.lives[pair] == TargetLife(before: true, after: true))
  }

  @Test func `without a canary there is no life`() throws {
    let target = Target(open: [22])
    let (plan, result) = try run("a -> b 23 tcp expect deny", against: target)
    let pair = ProbeCampaign.Pair(plan.probes[0])
    #expect(result.lives[pair] == TargetLife(before: false, after: false))
  }

  @Test func `silence is asked slowly where a rejection would make a difference`() throws {
    let target = Target(open: [22])
    let (_, result) = try run(
      "a -> b 22 tcp expect allow\na -> b 23 tcp expect drop\na -> b 24 tcp expect deny",
      against: target)
    let paced = target.calls.flatMap { $0 }.filter(\.isPaced)
    #expect(paced.map(\.kind) == [.tcp(23)])
    #expect(result.paced.count == 1)
  }

  @Test func `where packets are lost, silence is asked until it is one in a million`() throws {
    let target = Target(open: Set(1...50))
    target.isLost = { $0 % 5 == 1 }
    let (plan, result) = try run(
      "a -> b 1-50 tcp expect allow\na -> b 60 tcp expect deny", against: target)
    let denied = try #require(plan.probes.firstIndex { $0.kind == .tcp(60) })
    #expect(try #require(result.observations[denied]).transmissions > 8)
    let silent = plan.probes.indices.filter { result.observations[$0]?.answer == .silence }
    #expect(silent == [denied])
  }
}
