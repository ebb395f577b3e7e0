import Addresses
import Foundation
import LinuxKernel
import Netfilter
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing

@Suite("The kernel as referee")
struct KernelRefereeTests {
  /// A packet of the corpora; nil where its bytes are not given.
  private func packet(_ description: Object) -> SandboxPacket? {
    guard let digits = description["l3_hex"] as? String else { return nil }
    let characters = Array(digits.utf8)
    let bytes = stride(from: 0, to: characters.count - 1, by: 2).compactMap {
      UInt8(String(decoding: characters[$0..<$0 + 2], as: UTF8.self), radix: 16)
    }
    if description["local"] as? Bool == true { return SandboxPacket(bytes: bytes, origin: .local) }
    guard let name = (description["iif"] as? String).flatMap({ InterfaceName($0) }) else {
      return nil
    }
    let frame = Packet.Frame(
      source: (description["smac"] as? String).flatMap { MACAddress($0) },
      destination: (description["dmac"] as? String).flatMap { MACAddress($0) })
    return SandboxPacket(bytes: bytes, origin: .received(name, frame))
  }

  /// The verdicts in words, and those on record as far as they are of the same packet.
  private func compare(
    _ verdicts: HookVerdicts, of packet: SandboxPacket, with record: Any?
  ) -> (answer: [String: String], expected: [String: String]) {
    var answer: [String: String] = [:]
    for (hook, verdict) in verdicts.byHook { answer[hook.rawValue] = verdict.rawValue }
    var expected = record as? [String: String] ?? [:]
    switch packet.origin {
    case .local:
      // Most of the record does not follow a packet that comes back in.
      if expected["prerouting"] == nil { answer = answer.filter { isWayOut($0.key) } }
    case .received:
      // What the kernel itself answered is on record too, with the hooks that it passed.
      if expected["output"] != nil { expected = expected.filter { !isWayOut($0.key) } }
    }
    return (answer, expected)
  }

  /// Whether an IPv6 packet goes to fe80::/10.
  private func isLinkLocal(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 40 && bytes[0] >> 4 == 6 && bytes[24] == 0xFE && bytes[25] & 0xC0 == 0x80
  }

  private func isWayOut(_ hook: String) -> Bool { hook == "output" || hook == "postrouting" }

  private let droppingQuestions = Array(
    """
    table inet t {
      chain c {
        type filter hook input priority 0; policy accept;
        udp dport 53 drop
      }
    }

    """.utf8)

  @Test(canUnshare, hasCorpora, arguments: [true, false])
  func `traps have the verdicts on record`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    let tool = try workshop.tool(isPrivileged: isPrivileged)
    let host = try twoNetworks()
    var compared = 0
    let lines = try String(contentsOf: corpora.appending(path: "traps.jsonl"), encoding: .utf8)
    for (number, line) in lines.split(separator: "\n").enumerated()
    where isPrivileged || number.isMultiple(of: 4) {
      let trap = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? Object)
      // Entries of the connection table and packets told by their fields alone are not made here.
      guard trap["conntrack_setup"] == nil, trap["pre_packets"] == nil,
        let packet = (trap["packet"] as? Object).flatMap(packet)
      else { continue }
      let ruleset = Array(try #require(trap["ruleset"] as? String).utf8)
      let referee = KernelReferee(ruleset: ruleset, host: host, executable: tool)
      let verdicts = try referee.verdicts(for: [packet])
      let name = trap["name"] as? String ?? ""
      let (answer, expected) = compare(verdicts[0], of: packet, with: trap["hooks_seen"])
      #expect(answer == expected, "\(name)")
      compared += 1
    }
    #expect(compared >= (isPrivileged ? 60 : 15))
  }

  @Test(canUnshare, hasCorpora, .timeLimit(.minutes(5)))
  func `vectors without state have the verdicts on record`() throws {
    let workshop = try Workshop()
    var compared = 0
    var wrong: [String] = []
    let files = try FileManager.default.contentsOfDirectory(
      at: corpora.appending(path: "vectors"), includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }
    for (number, file) in files.enumerated() where number.isMultiple(of: 4) {
      let vectors = try #require(
        JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? Object)
      guard (vectors["stateful"] as? [Any])?.isEmpty == true else { continue }
      let environment = try #require(vectors["env"] as? Object)
      let interfaces: [Object] = (environment["devices"] as? [Object] ?? []).map {
        [
          "name": $0["name"] ?? "", "index": $0["ifindex"] ?? 0, "mac": $0["mac"] ?? "",
          "addresses": [$0["v4"] ?? "", $0["v6"] ?? ""],
        ]
      }
      let referee = KernelReferee(
        ruleset: Array(
          try JSONSerialization.data(withJSONObject: vectors["ruleset_json"] ?? Object())),
        host: try host(interfaces, by: environment["default_dev"] as? String ?? ""),
        executable: workshop.tool)
      let entries = vectors["vectors"] as? [Object] ?? []
      let packets = entries.compactMap { ($0["packet"] as? Object).flatMap(packet) }
      try #require(packets.count == entries.count)
      do throws(SandboxError) {
        let verdicts = try referee.verdicts(for: packets)
        for (index, entry) in entries.enumerated() {
          // The interfaces on record had link-local addresses too, which the description lacks.
          if isLinkLocal(packets[index].bytes) { continue }
          compared += 1
          let (answer, expected) = compare(
            verdicts[index], of: packets[index], with: entry["hooks"])
          if answer != expected {
            wrong.append("\(file.lastPathComponent) \(index): \(answer), on record \(expected)")
          }
        }
      } catch {
        // nft does not take all of what it lists: maps of concatenations, chains of a device.
        guard case .rejected = error else { throw error }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(20).joined(separator: "\n"))")
    #expect(compared >= 1000)
  }

  private func verdicts(
    by tool: String, _ ruleset: [UInt8]? = nil, count: Int = 1
  ) throws -> [HookVerdicts] {
    let referee = KernelReferee(
      ruleset: ruleset ?? droppingQuestions, host: try twoNetworks(), executable: tool)
    return try referee.verdicts(for: Array(repeating: question, count: count))
  }

  @Test(canUnshare, arguments: [true, false])
  func `a packet is dropped at the hook that drops it`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    let verdicts = try verdicts(by: workshop.tool(isPrivileged: isPrivileged), count: 40)
    #expect(verdicts.count == 40)
    for each in verdicts { #expect(each.byHook == [.prerouting: .accept, .input: .drop]) }
  }

  @Test(canUnshare) func `a packet to the host itself goes out and comes back in`() throws {
    let workshop = try Workshop()
    let ruleset = Array(
      """
      table ip t {
        chain c {
          type filter hook input priority 0; policy accept;
          iifname "lo" udp dport 53 reject
        }
      }

      """.utf8)
    let referee = KernelReferee(
      ruleset: ruleset, host: try twoNetworks(), executable: workshop.tool)
    var packet = SandboxPacket(bytes: question.bytes, origin: .local)
    // From 10.0.0.1 to 10.1.0.1, both its own.
    packet.bytes.replaceSubrange(12..<20, with: [10, 0, 0, 1, 10, 1, 0, 1])
    let verdicts = try referee.verdicts(for: [packet, question])
    // The rejection comes back in by the same way and gets through; it must not count.
    #expect(
      verdicts[0].byHook == [
        .output: .accept, .postrouting: .accept, .prerouting: .accept, .input: .drop,
      ])
    #expect(verdicts[1].byHook == [.prerouting: .accept, .input: .accept])
  }

  @Test(canUnshare) func `what rules keep is kept from packet to packet, and no longer`() throws {
    let workshop = try Workshop()
    let ruleset = Array(
      """
      table ip t {
        chain c {
          type filter hook input priority 0; policy drop;
          udp dport 53 limit rate 1/day burst 3 packets accept
        }
      }

      """.utf8)
    for _ in 0..<2 {
      let answers = try verdicts(by: workshop.tool, ruleset, count: 5)
      #expect(answers.map { $0[.input] } == [.accept, .accept, .accept, .drop, .drop])
    }
  }

  @Test(canUnshare) func `where namespaces are forbidden the setting is named`() throws {
    let workshop = try Workshop()
    // user.max_user_namespaces counts per user namespace, so the limit is set inside one.
    let program = try workshop.program(
      "exec setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Ur sh -c "
        + "'echo 0 >/proc/sys/user/max_user_namespaces; "
        + "exec setpriv --bounding-set=-all --inh-caps=-all \"$0\" \"$@\"' $TOOL \"$@\"")
    let error = #expect(throws: SandboxError.self) { try verdicts(by: program) }
    #expect(error == .namespaceRefused(step: .user, .noSpace))
    #expect(error?.help?.contains("user.max_user_namespaces") == true)
  }

  @Test(canUnshare) func `what nft refuses comes back in its words`() throws {
    let workshop = try Workshop()
    let error = #expect(throws: SandboxError.self) {
      try verdicts(by: workshop.tool, Array("table inet t { frobnicate }".utf8))
    }
    guard case .rejected(let rejection) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(rejection.statement == "table inet t { frobnicate }")
    #expect(rejection.place?.firstColumn == 16)
  }

  @Test(canUnshare) func `a packet by an interface that the host lacks is an error`() throws {
    let workshop = try Workshop()
    let referee = KernelReferee(
      ruleset: [], host: Simulation.Host(interfaces: []), executable: workshop.tool)
    #expect(throws: SandboxError.unknownInterface("eth0")) {
      try referee.verdicts(for: [question])
    }
  }

  @Test func `a child that hangs is ended`() throws {
    let workshop = try Workshop()
    let referee = KernelReferee(
      ruleset: [], host: Simulation.Host(interfaces: []),
      executable: try workshop.program("exec sleep 60"), timeout: .milliseconds(200))
    #expect(throws: SandboxError.timedOut(after: .milliseconds(200))) {
      try referee.verdicts(for: [])
    }
  }
}
