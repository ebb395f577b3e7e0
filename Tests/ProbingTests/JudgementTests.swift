import Addresses
import LinuxKernel
import Scenarios
import Testing

@testable import Probing

@Suite struct JudgementTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var kind: Probe.Kind
    var answer: Observation.Answer
    var life = TargetLife(before: true, after: true)
    var far: FarView?
    var rules: RulesWord?
    var isOneWay = false
    var crossesFirewall = false
    var isPaced = false
    /// What is found, in the words of reports: `allow`, `drop`, or the code of a doubt.
    var found: String

    var testDescription: String { name }
  }

  static let target = IPAddress(.ipv4, rawValue: 0x0A00_0002)
  static let hop = IPAddress(.ipv4, rawValue: 0x0A00_00FE)
  static let dead = TargetLife(before: false, after: false)
  static let dying = TargetLife(before: true, after: false)

  static func far(
    _ listener: FarView.Listener, arrived: Bool?, accepted: Bool = false, limits: Bool? = nil
  ) -> FarView {
    FarView(
      listener: listener, hasArrived: arrived, isAccepted: accepted, limitsICMPErrors: limits)
  }

  static func error(_ code: UInt8, from sender: IPAddress = target) -> Observation.Answer {
    .icmpError(type: 3, code: code, sender: sender)
  }

  static let cases: [Case] = [
    Case(name: "SYN-ACK", kind: .tcp(22), answer: .synAcknowledgement, found: "allow"),
    Case(
      name: "SYN-ACK from a target that shows no other life", kind: .tcp(22),
      answer: .synAcknowledgement, life: dead, found: "allow"),
    Case(name: "RST alone", kind: .tcp(22), answer: .reset, found: "probe.reset-ambiguous"),
    Case(
      name: "RST where the responder listens", kind: .tcp(22), answer: .reset,
      far: far(.responder, arrived: true), found: "reject with tcp-reset"),
    Case(
      name: "RST where a service listens", kind: .tcp(22), answer: .reset,
      far: far(.service, arrived: nil), found: "reject with tcp-reset"),
    Case(
      name: "RST where nobody listens", kind: .tcp(22), answer: .reset,
      far: far(.nobody, arrived: true), found: "probe.reset-ambiguous"),
    Case(
      name: "RST that no rule writes", kind: .tcp(22), answer: .reset, rules: .doesNotWriteIt,
      found: "allow"),
    Case(
      name: "RST that a rule writes", kind: .tcp(22), answer: .reset, rules: .writesIt,
      found: "reject with tcp-reset"),
    Case(
      name: "a listener says more than a ruleset", kind: .tcp(22), answer: .reset,
      far: far(.responder, arrived: true), rules: .doesNotWriteIt, found: "reject with tcp-reset"),
    Case(
      name: "port unreachable to TCP", kind: .tcp(22), answer: error(3),
      found: "reject with port-unreachable"),
    Case(
      name: "host unreachable", kind: .tcp(22), answer: error(1),
      found: "reject with host-unreachable"),
    Case(name: "no route", kind: .tcp(22), answer: error(0), found: "reject with no-route"),
    Case(
      name: "admin prohibited", kind: .udp(53), answer: error(13),
      found: "reject with admin-prohibited"),
    Case(
      name: "host prohibited", kind: .tcp(22), answer: error(10),
      found: "reject with ICMP type 3 code 10"),
    Case(
      name: "fragmentation needed", kind: .tcp(22), answer: error(4), found: "probe.icmp"),
    Case(
      name: "time exceeded", kind: .tcp(22),
      answer: .icmpError(type: 11, code: 0, sender: hop), found: "probe.icmp"),
    Case(
      name: "admin prohibited by a hop", kind: .tcp(22), answer: error(13, from: hop),
      found: "reject with admin-prohibited"),
    Case(
      name: "host unreachable by a hop", kind: .tcp(22), answer: error(1, from: hop),
      found: "path.icmp-from-hop"),
    Case(
      name: "port unreachable to UDP alone", kind: .udp(53), answer: error(3),
      found: "probe.port-unreachable-ambiguous"),
    Case(
      name: "port unreachable where the responder listens", kind: .udp(53), answer: error(3),
      far: far(.responder, arrived: true), found: "reject with port-unreachable"),
    Case(
      name: "port unreachable that no rule writes", kind: .udp(53), answer: error(3),
      rules: .doesNotWriteIt, found: "allow"),
    Case(
      name: "port unreachable that a rule writes", kind: .udp(53), answer: error(3),
      rules: .writesIt, found: "reject with port-unreachable"),
    Case(
      name: "a datagram with the token", kind: .udp(53), answer: .reply(carriesToken: true),
      found: "allow"),
    Case(
      name: "a service's datagram", kind: .udp(53), answer: .reply(carriesToken: false),
      found: "allow"),
    Case(
      name: "an echo reply", kind: .icmp(type: 8, code: 0), answer: .reply(carriesToken: true),
      found: "allow"),
    Case(
      name: "own output rules", kind: .tcp(22), answer: .notSent(.notPermitted),
      found: "probe.own-firewall"),
    Case(
      name: "the run was ended", kind: .tcp(22), answer: .failed(.interrupted),
      found: "run.stopped"),
    Case(
      name: "answers were lost here", kind: .tcp(22), answer: .failed(.noBufferSpace),
      found: "probe.overrun"),
    Case(
      name: "an error without its packet", kind: .tcp(22), answer: .failed(.hostUnreachable),
      found: "probe.unexplained"),
    Case(
      name: "silence between signs of life", kind: .tcp(22), answer: .silence,
      found: "drop or unsent reject"),
    Case(
      name: "paced silence between signs of life", kind: .tcp(22), answer: .silence,
      isPaced: true, found: "drop"),
    Case(
      name: "silence of a target that limits nothing", kind: .tcp(22), answer: .silence,
      far: far(.responder, arrived: nil, limits: false), found: "drop"),
    Case(
      name: "silence of the dead", kind: .tcp(22), answer: .silence, life: dead,
      found: "probe.no-canary"),
    Case(
      name: "silence of the dying", kind: .tcp(22), answer: .silence, life: dying,
      found: "probe.target-lost"),
    Case(
      name: "paced silence of the dead", kind: .tcp(22), answer: .silence, life: dead,
      isPaced: true, found: "probe.no-canary"),
    Case(
      name: "arrived, and the responder got nothing", kind: .tcp(22), answer: .silence, life: dead,
      far: far(.responder, arrived: true, limits: false), found: "drop"),
    Case(
      name: "arrived at the responder too fast for ICMP errors", kind: .tcp(22), answer: .silence,
      life: dead, far: far(.responder, arrived: true), found: "drop or unsent reject"),
    Case(
      name: "arrived at a closed port, between signs of life", kind: .tcp(22), answer: .silence,
      far: far(.nobody, arrived: true, limits: false), found: "drop"),
    Case(
      name: "arrived at a closed port of the dead", kind: .tcp(22), answer: .silence, life: dead,
      far: far(.nobody, arrived: true), found: "probe.no-canary"),
    Case(
      name: "never arrived", kind: .tcp(22), answer: .silence,
      far: far(.responder, arrived: false), found: "probe.no-arrival"),
    Case(
      name: "never arrived behind a firewall", kind: .tcp(22), answer: .silence,
      far: far(.responder, arrived: false), crossesFirewall: true, found: "drop or unsent reject"),
    Case(
      name: "never arrived behind a firewall, and no life", kind: .tcp(22), answer: .silence,
      life: dead, far: far(.responder, arrived: false), crossesFirewall: true,
      found: "probe.no-arrival"),
    Case(
      name: "taken, and nothing came back", kind: .tcp(22), answer: .silence,
      far: far(.responder, arrived: true, accepted: true), found: "answer lost"),
    Case(
      name: "taken, and nothing need come back", kind: .udp(8472), answer: .silence,
      far: far(.responder, arrived: true, accepted: true), isOneWay: true, found: "allow"),
    Case(
      name: "UDP silence", kind: .udp(53), answer: .silence, isPaced: true,
      found: "probe.udp-silence"),
    Case(
      name: "UDP arrived, and the responder got nothing", kind: .udp(53), answer: .silence,
      life: dead, far: far(.responder, arrived: true), isPaced: true, found: "drop"),
    Case(
      name: "UDP arrived at a silent service", kind: .udp(53), answer: .silence,
      far: far(.service, arrived: true), isPaced: true, found: "probe.silent-service"),
    Case(
      name: "UDP arrived at a closed port, too fast", kind: .udp(53), answer: .silence,
      far: far(.nobody, arrived: true), found: "probe.icmp-limit"),
    Case(
      name: "UDP arrived at a closed port, slowly", kind: .udp(53), answer: .silence,
      far: far(.nobody, arrived: true), isPaced: true, found: "drop"),
    Case(
      name: "no echo reply between signs of life", kind: .icmp(type: 8, code: 0),
      answer: .silence, isPaced: true, found: "drop"),
    Case(
      name: "a message that nothing answers", kind: .icmp(type: 13, code: 0), answer: .silence,
      isPaced: true, found: "probe.no-answer-defined"),
  ]

  @Test(arguments: cases) func `evidence comes to what it says and no more`(example: Case) throws {
    let probe = Probe(
      from: IPAddress(.ipv4, rawValue: 0x0A00_0001), to: Self.target, example.kind,
      isPaced: example.isPaced)
    let evidence = Evidence(
      probe: probe, observation: Observation(example.answer, transmissions: 2),
      life: example.life, far: example.far, rules: example.rules, isOneWay: example.isOneWay,
      crossesFirewall: example.crossesFirewall)
    let experience = evidence.experience
    if case .unknown(let doubt) = experience {
      #expect(doubt.code == example.found)
    } else {
      #expect(experience.word == example.found)
    }
  }

  @Test func `silence without arrival or signs of life meets no expectation`() {
    let expectations: [Flow.Expectation] = [.allow, .deny, .drop, .reject(nil)]
    for kind in [Probe.Kind.tcp(22), .udp(53), .icmp(type: 8, code: 0)] {
      for life in [Self.dead, Self.dying] {
        for isPaced in [false, true] {
          let probe = Probe(from: Self.hop, to: Self.target, kind, isPaced: isPaced)
          let evidence = Evidence(
            probe: probe, observation: Observation(.silence, transmissions: 3), life: life)
          for expectation in expectations {
            #expect(expectation.isMet(by: evidence.experience) == nil)
          }
        }
      }
    }
  }

  @Test func `errors of this machine meet no expectation`() {
    let answers: [Observation.Answer] = [
      .notSent(.notPermitted), .notSent(.invalidArgument), .failed(.invalidArgument),
    ]
    for answer in answers {
      let evidence = Evidence(
        probe: Probe(from: Self.hop, to: Self.target, .tcp(22), isPaced: true),
        observation: Observation(answer, transmissions: 0),
        life: TargetLife(before: true, after: true))
      for expectation in [Flow.Expectation.allow, .deny, .drop, .reject(nil)] {
        #expect(expectation.isMet(by: evidence.experience) == nil)
      }
    }
  }

  @Test(arguments: [
    (Flow.Expectation.allow, [true, false, false, false, false]),
    (.deny, [false, true, true, true, false]),
    (.drop, [false, true, nil, false, false]),
    (.reject(nil), [false, false, nil, true, false]),
    (.reject(.portUnreachable), [false, false, nil, true, false]),
    (.reject(.tcpReset), [false, false, false, false, false]),
  ])
  func `expectations are met by what they name`(
    expectation: Flow.Expectation, met: [Bool?]
  ) {
    let experiences: [Experience] = [
      .allow(.answer), .drop(.arrival), .refusedSilently(.canary),
      .reject(.named(.portUnreachable), .answer), .answerLost,
    ]
    #expect(experiences.map(expectation.isMet) == met)
  }
}
