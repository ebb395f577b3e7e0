import Foundation
import Glibc
import LinuxKernel
import TestSupport
import Testing

/// Every way in which a packet can end, and whether the program tells which it was.
@Suite("Probes against the truth", canMakeNetworks, .serialized)
struct ProbeGroundTruthTests {
  /// One rule, and what a packet that meets it experiences.
  struct Fate: Sendable {
    /// The statement of its rule.
    var rule: String
    /// What the program must call it: by family, where they differ.
    var ipv4: String
    var ipv6: String

    init(_ rule: String, _ ipv4: String, _ ipv6: String? = nil) {
      self.rule = rule
      self.ipv4 = ipv4
      self.ipv6 = ipv6 ?? ipv4
    }
  }

  /// What both protocols can meet, in the order of their ports from 1001 on.
  static let fates: [Fate] = [
    Fate("accept", "allow"),
    Fate("drop", "drop"),
    Fate("reject", "reject with port-unreachable"),
    Fate("reject with icmpx port-unreachable", "reject with port-unreachable"),
    Fate("reject with icmpx host-unreachable", "reject with host-unreachable"),
    Fate("reject with icmpx no-route", "reject with no-route"),
    Fate("reject with icmpx admin-prohibited", "reject with admin-prohibited"),
  ]

  /// What IPv4 alone can meet, from 1101 on: nft-reject's codes, and what they are on the wire.
  static let onlyIPv4: [Fate] = [
    Fate("reject with icmp net-unreachable", "reject with no-route"),
    Fate("reject with icmp host-unreachable", "reject with host-unreachable"),
    Fate("reject with icmp prot-unreachable", "reject with ICMP type 3 code 2"),
    Fate("reject with icmp port-unreachable", "reject with port-unreachable"),
    Fate("reject with icmp net-prohibited", "reject with ICMP type 3 code 9"),
    Fate("reject with icmp host-prohibited", "reject with ICMP type 3 code 10"),
    Fate("reject with icmp admin-prohibited", "reject with admin-prohibited"),
  ]

  /// What IPv6 alone can meet, from 1201 on.
  static let onlyIPv6: [Fate] = [
    Fate("reject with icmpv6 no-route", "reject with no-route"),
    Fate("reject with icmpv6 admin-prohibited", "reject with admin-prohibited"),
    Fate("reject with icmpv6 addr-unreachable", "reject with host-unreachable"),
    Fate("reject with icmpv6 port-unreachable", "reject with port-unreachable"),
    Fate("reject with icmpv6 policy-fail", "reject with ICMP type 1 code 5"),
    Fate("reject with icmpv6 reject-route", "reject with ICMP type 1 code 6"),
  ]

  private static let resetPort = 1301

  private let network: ProbeNetwork
  private let folder = NSTemporaryDirectory() + "/portproof-truth-\(UUID().uuidString)"

  init() throws {
    network = try ProbeNetwork()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    // The limit on ICMP errors has a test of its own.
    try network.shell(
      .far,
      "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit")
  }

  /// The rules, after one that accepts port 22 and, where it is wanted, loses a tenth.
  private static func ruleset(loses: Bool) -> String {
    var rules = "ct state established,related accept\n"
    rules += "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
    if loses { rules += "numgen random mod 10 == 0 drop\n" }
    rules += "tcp dport 22 accept\ntcp dport \(resetPort) reject with tcp reset\n"
    for (fates, first, guardText) in [
      (fates, 1001, ""), (onlyIPv4, 1101, "meta nfproto ipv4 "),
      (onlyIPv6, 1201, "meta nfproto ipv6 "),
    ] {
      for (index, fate) in fates.enumerated() {
        rules += "\(guardText)meta l4proto { tcp, udp } th dport \(first + index) \(fate.rule)\n"
      }
    }
    return
      "table inet f {\nchain c {\ntype filter hook input priority 0; policy drop;\n\(rules)}\n}\n"
  }

  /// A line for each fate, protocol and family, with what must be found.
  private static func lines(_ clauses: String) -> [(text: String, truth: String)] {
    var lines: [(text: String, truth: String)] = []
    for transport in ["tcp", "udp"] {
      for (fates, first, families) in [
        (fates, 1001, ["ipv4", "ipv6"]), (onlyIPv4, 1101, ["ipv4"]), (onlyIPv6, 1201, ["ipv6"]),
      ] {
        for (index, fate) in fates.enumerated() {
          for family in families {
            let truth = family == "ipv4" ? fate.ipv4 : fate.ipv6
            let verdict =
              truth == "allow" ? "allow" : truth == "drop" ? "drop" : "reject"
            lines.append(
              (
                "near -> far \(first + index) \(transport) expect \(verdict) family \(family)\(clauses)",
                truth
              ))
          }
        }
      }
    }
    for family in ["ipv4", "ipv6"] {
      lines.append(
        (
          "near -> far \(resetPort) tcp expect reject with tcp-reset family \(family)\(clauses)",
          "reject with tcp-reset"
        ))
      lines.append(("near -> far 22 tcp expect allow family \(family)\(clauses)", "allow"))
    }
    return lines
  }

  /// What a run of `probe` calls what each line met.
  private func found(_ lines: [String], _ options: String) throws -> [String] {
    let text =
      "host near = \(ProbeNetwork.near.ipv4), \(ProbeNetwork.near.ipv6)\n"
      + "host far = \(ProbeNetwork.far.ipv4), \(ProbeNetwork.far.ipv6) agent \"far\"\n"
      + lines.joined(separator: "\n")
    try text.write(toFile: folder + "/t.scn", atomically: true, encoding: .utf8)
    try network.shell(
      .near,
      "cd \(folder); \(try EndToEndTests.program()) probe t.scn \(options) --rate max --quiet "
        + "--report json=r.json >out 2>&1 || test $? -eq 1 -o $? -eq 3 || { cat out; exit 1; }")
    let data = try Data(contentsOf: URL(filePath: folder + "/r.json"))
    let report = try #require(
      try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let results = try #require(report["results"] as? [[String: Any]])
    return results.map { result in
      let evidence = result["evidence"] as? [String: Any]
      let probe = evidence?["probe"] as? [String: Any]
      let counts = probe?["experiences"] as? [String: Int] ?? [:]
      return counts.keys.sorted().joined(separator: ", ")
    }
  }

  /// Runs `body` with a file of agents that reaches the far end.
  private func withAgent(_ body: (String) throws -> Void) throws {
    let text = try network.shell(.far, "sleep 300 >/dev/null 2>&1 & echo $!")
    let process = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    defer { _ = kill(process, SIGKILL) }
    try "far: [nsenter, --net=/proc/\(process)/ns/net, \(try EndToEndTests.program())]\n"
      .write(toFile: folder + "/agents.yaml", atomically: true, encoding: .utf8)
    _ = unsafe chmod(folder + "/agents.yaml", 0o600)
    try body("--agents agents.yaml")
  }

  @Test(arguments: [false, true])
  func `with a far end nothing is misjudged in ten runs`(loses: Bool) throws {
    try network.load(.far, Self.ruleset(loses: loses))
    let lines = Self.lines(loses ? " retries 9 timeout 60ms" : " timeout 200ms")
    try withAgent { agents in
      for run in 1...10 {
        let found = try found(lines.map(\.text), agents)
        #expect(found.count == lines.count)
        for (line, found) in zip(lines, found) where found != line.truth {
          Issue.record("run \(run): \(line.text): found \(found), is \(line.truth)")
        }
      }
    }
  }

  /// Who is at a port that the rules let through.
  enum Service: CaseIterable {
    case nobody, answering, silent
  }

  @Test(arguments: Service.allCases)
  func `without a far end nothing is misjudged, and what cannot be told is not known`(
    service: Service
  ) throws {
    try network.load(.far, Self.ruleset(loses: false))
    try network.listen(tcp: service == .nobody ? [22] : [22, 1001])
    switch service {
    case .nobody: break
    case .answering: try network.answer(udp: 1001) { $0 }
    case .silent: try network.answer(udp: 1001) { _ in nil }
    }
    let lines = Self.lines(" timeout 100ms").filter { !$0.text.contains("udp expect drop") }
    for run in 1...10 {
      let found = try found(lines.map(\.text), "")
      for (line, found) in zip(lines, found) {
        let truth =
          Self.looksTheSame(line.text, line.truth, service) ? "not known" : line.truth
        if found != truth {
          Issue.record("run \(run), \(service): \(line.text): found \(found), is \(truth)")
        }
      }
    }
  }

  /// Whether a closed port, or a silent service, and a rule look the same.
  private static func looksTheSame(_ line: String, _ truth: String, _ service: Service) -> Bool {
    let isUDP = line.contains(" udp ")
    switch truth {
    case "allow":
      if line.contains(" 22 ") { return false }
      return isUDP ? service != .answering : service == .nobody
    case "reject with tcp-reset": return true
    case "reject with port-unreachable": return isUDP
    default: return false
    }
  }

  @Test func `rejections that the limit on ICMP errors keeps back are not taken for drops`() throws
  {
    try network.shell(
      .far,
      "echo 1000 > /proc/sys/net/ipv4/icmp_ratelimit")
    try network.load(.far, Self.ruleset(loses: false))
    try network.listen(tcp: [22])
    // More than the burst of six, so that some are not answered at once.
    let lines = Self.onlyIPv4.indices.map {
      "near -> far \(1101 + $0) tcp expect reject family ipv4 timeout 200ms"
    }
    let more = [
      "near -> far 1003-1007 tcp expect reject family ipv4 timeout 200ms",
      "near -> far 1002 tcp expect drop family ipv4 timeout 200ms",
      "near -> far 22 tcp expect allow family ipv4",
    ]
    let found = try found(lines + more, "")
    #expect(found.dropLast(3).elementsEqual(Self.onlyIPv4.map(\.ipv4)))
    #expect(!found[lines.count].contains("drop"))
    #expect(!found[lines.count].contains("not known"))
    #expect(found.suffix(2).elementsEqual(["drop", "allow"]))
  }

  @Test func `an answer that the far end's own rules drop is lost, and nothing is denied by it`()
    throws
  {
    try network.load(
      .far,
      Self.ruleset(loses: false).replacing(
        "table inet f {",
        with: "table inet f {\nchain o {\ntype filter hook output priority 0;\n"
          + "th sport 1001 drop\n}\n"))
    try withAgent { agents in
      let found = try found(
        [
          "near -> far 1001 tcp expect deny", "near -> far 1001 udp expect deny",
          "near -> far 22 tcp expect allow",
        ], agents)
      #expect(found == ["answer lost", "answer lost", "allow"])
    }
  }

  @Test func `both ends keep what they saw, and reports name the packets`() throws {
    try network.load(.far, Self.ruleset(loses: false))
    try withAgent { agents in
      _ = try found(
        ["near -> far 1001 tcp expect deny family ipv4", "near -> far 1002 udp expect allow"],
        agents + " --capture evidence")
    }
    let data = try Data(contentsOf: URL(filePath: folder + "/r.json"))
    let report = try #require(
      try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let results = try #require(report["results"] as? [[String: Any]])
    for (result, port) in zip(results, [1001, 1002]) {
      let evidence = result["evidence"] as? [String: Any]
      let probe = evidence?["probe"] as? [String: Any]
      let example = try #require((probe?["examples"] as? [[String: Any]])?.first)
      #expect(example["arrived"] as? Bool == true)
      for (end, prefix) in [("near_capture", ""), ("far_capture", "far:")] {
        let capture = try #require(example[end] as? [String: Any])
        let file = try #require(capture["file"] as? String)
        #expect(file.hasPrefix(prefix))
        let packets = try #require(capture["packets"] as? [Int])
        #expect(!packets.isEmpty)
        let listed = try network.shell(
          .near, "cd \(folder); tcpdump -nr \(file.dropFirst(prefix.count)) 2>/dev/null")
        let lines = listed.split(separator: "\n")
        for packet in packets {
          try #require(lines.indices.contains(packet - 1))
          #expect(lines[packet - 1].contains("192.0.2.2.\(port)"))
        }
      }
    }
  }
}
