import Addresses
import Diagnostics
import Foundation
import Scenarios
import Testing

/// Texts that each draw one kind of complaint, in all its wordings.
private let provocations: [ScenarioCode: [String]] = [
  .acceptForAllow: ["10.0.0.1 -> 10.0.0.2 22 tcp expect accept\n"],
  .addressInvalid: [
    """
    host a = 300.0.0.1
    host b = 010.0.0.1
    host c = 1::2::3
    host d = fd00:20
    """
  ],
  .clauseMisplaced: ["suite \"s\" id one {\n  10.0.0.1 -> 10.0.0.2 22 tcp expect deny\n}\n"],
  .clauseRepeated: [
    """
    10.0.0.1 -> 10.0.0.2 22 tcp expect deny severity low tag a tag b severity high
    10.0.0.1 -> 10.0.0.2 23 tcp expect deny static live
    host a = 10.0.0.1 iface eth0 iface eth1 agent "a" agent "b"
    """
  ],
  .contradiction: [
    """
    group cp     = 10.0.0.1
    group worker = 10.0.1.0/24
    worker -> cp 2379-2380 tcp expect allow
    any -> cp 2380 tcp expect deny
    """,
    """
    group cp = 10.0.0.1-10.0.0.3
    only cp -> cp 2379 tcp
    10.0.0.9 -> cp tcp expect allow
    10.0.0.9 -> cp 22 tcp expect reject
    any -> 10.0.0.3 2379 tcp expect allow
    10.0.0.7, 10.0.0.8 -> cp 22 udp expect drop
    any -> cp udp expect allow
    """,
  ],
  .duplicateId: [
    """
    10.0.0.1 -> 10.0.0.2 22 tcp expect deny id ssh
    10.0.0.1 -> 10.0.0.3 22 tcp expect deny id SSH
    """
  ],
  .duplicateName: [
    """
    host cp = 10.0.0.1
    service CP = 22 tcp
    firewall f = live on cp
    firewall F = live on cp
    """
  ],
  .emptyRange: [
    """
    10.0.0.1 -> 10.0.0.2 80- tcp expect allow
    10.0.0.1- -> 10.0.0.2 80 tcp expect allow
    """
  ],
  .emptySet: ["group a = 10.0.0.0/24, 10.0.1.1 except { 10.0.0.0/23 }\n"],
  .encodingInvalid: [],
  .escapeUnknown: ["10.0.0.1 -> 10.0.0.2 22 tcp expect deny because \"C:\\disk\"\n"],
  .familiesDisjoint: [
    """
    10.0.0.1 -> fd00::1 22 tcp expect deny
    10.0.0.1, fd00::2 -> fd00::1 22 tcp expect deny family ipv4
    """
  ],
  .firewallWithoutPath: ["firewall f = nft on any\n"],
  .groupCycle: [
    """
    group a = b, 10.0.0.1
    group b = { 10.0.0.2, c }
    group c = any except a
    group me = me
    service s = 22 tcp, t
    service t = s
    """
  ],
  .hostBits: ["10.0.0.5/24, fd00::5/64 -> 10.1.0.0/16 22 tcp expect deny\n"],
  .icmpFamily: [
    """
    fd00::1 -> fd00::2 icmp type echo-request expect allow
    10.0.0.1 -> 10.0.0.2 { icmp, icmpv6 } expect allow
    """
  ],
  .includeCycle: ["include \"sub/one.scn\"\n", "include \"./main.scn\"\n"],
  .includeUnreadable: ["include \"missing.scn\"\nworker -> cp 50001 tcp expect allow\n"],
  .interfaceInvalid: ["host a = 10.0.0.1 iface a-very-long-interface\n"],
  .itself: [
    """
    host a = 10.0.0.1, 10.0.0.2
    a -> 10.0.0.2 22 tcp expect deny
    10.0.0.9 -> 10.0.0.9 22 tcp expect deny
    """
  ],
  .kindNotYet: ["firewall f = terraform \"plan.json\" on any with version \"1.13\"\n"],
  .missingArrow: [
    """
    10.0.0.1 10.0.0.2 22 tcp expect allow
    10.0.0.1 - 10.0.0.2 22 tcp expect allow
    any to any 22 tcp expect allow
    """
  ],
  .missingExpect: [
    """
    10.0.0.1 -> 10.0.0.2 22 tcp allow
    10.0.0.1 -> 10.0.0.2 22 tcp expct allow
    10.0.0.1 -> 10.0.0.2 22 tcp   # and?
    """
  ],
  .missingProtocol: [
    """
    10.0.0.1 -> 10.0.0.2 50001 expect allow
    10.0.0.1 -> 10.0.0.2 80, 443 tpc expect allow
    10.0.0.1 -> 10.0.0.2 50001/tcp expect allow
    service a = 53 dccp
    """
  ],
  .mixedRange: ["10.0.0.1-fd00::1 -> any 22 tcp expect deny\n"],
  .nestedTooDeeply: [
    "group a = " + String(repeating: "{ ", count: 80) + "any"
      + String(repeating: " }", count: 80) + "\n"
  ],
  .nothingAsked: ["host a = 10.0.0.1\n"],
  .numberOutOfRange: [
    """
    10.0.0.1 -> 10.0.0.2 proto 256 expect deny
    10.0.0.1 -> 10.0.0.2 icmp type 300 code 999 expect deny
    10.0.0.1 -> 10.0.0.2 22 tcp expect deny timeout 2000m retries 1000
    """
  ],
  .optionValue: [
    """
    firewall t = talos "cp.yaml" on any with version 1 with node "cp1" with patch any
    firewall u = talos "cp.yaml" on any with version "" with node 10.0.0.1, fd00::1
    """
  ],
  .pathUnexpected: ["firewall f = live \"r.nft\" on any\n"],
  .portOutOfRange: [
    "10.0.0.1 -> 10.0.0.2 { 65536 tcp, udp/99999999999999999999 } expect deny\n"
  ],
  .prefixInvalid: ["10.0.0.0/33, fd00::/129, 10.0.0/8 -> 10.1.0.1 22 tcp expect deny\n"],
  .protocolWithoutPorts: ["10.0.0.1 -> 10.0.0.2 { 80 proto 47, proto 1/8 } expect deny\n"],
  .rejectMismatch: [
    """
    service both = 53 tcp, 53 udp
    10.0.0.1 -> 10.0.0.2 both expect reject with tcp-reset
    """
  ],
  .reservedWord: ["group only = 10.0.0.1\nany, live -> 10.0.0.1 22 tcp expect deny\n"],
  .reversedRange: ["10.0.0.9-10.0.0.1 -> 10.0.1.1 443-80 tcp expect deny\n"],
  .selfUnknown: ["firewall f = live on self\nonly self -> 10.0.0.1 22 tcp\n"],
  .sourcePortWithoutPorts: ["10.0.0.1 -> 10.0.0.2 { 53 udp, icmp } expect allow from port 53\n"],
  .textInvalid: ["suite \"\" {\n  10.0.0.1 -> 10.0.0.2 22 tcp expect deny\n}\n"],
  .unclosedBracket: [
    """
    group a = { 10.0.0.1,
      10.0.0.2
    a -> 10.0.0.3 { 22 tcp, 23 tcp expect deny
    a -> 10.0.0.3 { 24 tcp
    host b = 10.0.0.4
    suite "never closed" {
      b -> 10.0.0.3 25 tcp expect deny
    """
  ],
  .unexpectedCharacter: ["10.0.0.1 => 10.0.0.2 22 tcp expect 'deny' \u{7}\\ !\n"],
  .unexpectedToken: [
    """
    host a 10.0.0.1
    host b = 10.0.0.0/24
    group c = any except a, b
    service d = proto gre
    443 tcp
    10.0.0.1 -> 10.0.0.2 22 tcp expect reject with tcp-rst
    10.0.0.1 -> 10.0.0.2 22 tcp expect deny from 53
    only 10.0.0.1 -> 10.0.0.2 22 tcp expect allow
    firewall f = nft "r.nft"
    include inventory.scn
    }
    """
  ],
  .unknownClause: ["10.0.0.1 -> 10.0.0.2 22 tcp expect deny becuase \"it must\"\n"],
  .unknownICMPType: [
    """
    10.0.0.1 -> 10.0.0.2 icmp type echo-reqest expect allow
    10.0.0.1 -> 10.0.0.2 icmp type packet-too-big expect allow
    """
  ],
  .unknownKind: ["firewall f = nftables \"r.json\" on any\nfirewall g = tallos \"c\" on any\n"],
  .unknownName: ["include \"inventory.scn\"\n\n\n\n\n\nwroker -> cp 50001 tcp expect allow\n"],
  .unknownOption: [
    """
    firewall f = nft "r.json" on any with version "1.13" with group "x" = any
    firewall t = talos "cp.yaml" on any with vresion "1.13" with kubespan 1
    """
  ],
  .unknownSeverity: ["10.0.0.1 -> 10.0.0.2 22 tcp expect deny severity criticl\n"],
  .unknownState: ["10.0.0.1 -> 10.0.0.2 22 tcp expect deny state NEWW\n"],
  .unknownStatement: ["gruop cp = 10.0.0.1\nhots a = 10.0.0.1\nincldue \"a.scn\"\n"],
  .unknownVerdict: [
    """
    10.0.0.1 -> 10.0.0.2 22 tcp expect permit
    10.0.0.1 -> 10.0.0.2 22 tcp expect dney
    10.0.0.1 -> 10.0.0.2 22 tcp expect perhaps
    """
  ],
  .unterminatedString: ["10.0.0.1 -> 10.0.0.2 22 tcp expect deny because \"it must\nhost a = 1\n"],
  .wordInvalid: ["10.0.0.1 -> 10.0.0.2 80tcp expect allow\nhost 3com = 10.0.0.1\n"],
  .wrongRole: [
    """
    service etcd = 2379-2380 tcp
    host a = 10.0.0.1
    etcd -> a a expect allow
    """
  ],
]

/// What the texts may include.
private let library = [
  "inventory.scn": "# inventory\n\ngroup cp = 10.0.0.1\ngroup worker = 10.0.0.5-10.0.0.9\n",
  "sub/one.scn": "include \"two.scn\"\n",
  "sub/two.scn": "\n  include \"../main.scn\"\n",
]

@Suite("A complaint")
struct DiagnosticTests {
  @Test(arguments: ScenarioCode.allCases)
  func `of every kind is drawn as recorded`(code: ScenarioCode) throws {
    var readings = try #require(provocations[code]).map { text in
      Reading(library.merging(["main.scn": text]) { $1 })
    }
    if code == .encodingInvalid {
      readings = [
        Reading(main: Array("host a = 10.0.0.1 # ".utf8) + [0xC3, 0x28, 0x0A, 0xFF, 0xFE])
      ]
    }
    for reading in readings {
      #expect(reading.codes.contains(code.rawValue))
      let isWarning = reading.diagnostics.allSatisfy { $0.severity == .warning }
      #expect((reading.plan != nil) == isWarning)
    }
    #expect(!readings.isEmpty)
    try expectGolden("\(code.rawValue).txt", readings.map(\.rendered).joined(separator: "\n"))
  }

  @Test func `has a golden that belongs to a code`() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Repository.goldens.path)
    #expect(Set(files) == Set(ScenarioCode.allCases.map { "\($0.rawValue).txt" }))
  }
}
