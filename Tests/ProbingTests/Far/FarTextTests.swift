import Addresses
import Probing
import TestSupport
import Testing

@Suite("What a responder is told and tells")
struct FarTextTests {
  static func key() throws -> RunKey {
    try #require(RunKey(octets: Array(0..<32)))
  }

  static func ports(_ text: String) throws -> IntervalSet { try #require(PortText.ports(in: text)) }

  static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  static func assignment() throws -> Assignment {
    Assignment(
      key: try key(), addresses: [try address("192.0.2.2"), try address("2001:db8::2")],
      peers: [try address("192.0.2.1")], tcpPorts: try ports("22,80,1000-2000"),
      udpPorts: try ports("53"), duration: .seconds(30), admitsConnect: true)
  }

  @Test(arguments: ["", "22", "1-65535", "22,80,1000-2000"])
  func `ports are written as they are read`(text: String) throws {
    #expect(PortText.text(of: try Self.ports(text)) == text)
  }

  @Test(arguments: [
    "0", "65536", "-", "1-", "-1", "2-1", ",", "1,", ",1", "1--2", "1-2-3", " 1", "+1", "1e3",
    "٣", "000022", "99999999999999999999999",
  ])
  func `what is no list of ports is refused`(text: String) {
    #expect(PortText.ports(in: text) == nil)
  }

  @Test func `an assignment is read as it was written`() throws {
    let assignment = try Self.assignment()
    #expect(try Assignment(reading: assignment.json) == assignment)
    let text = String(decoding: assignment.json, as: UTF8.self)
    #expect(text.hasPrefix(#"{"schema":"portproof.respond/1","key":"000102"#))
    #expect(text.contains(#""tcp":"22,80,1000-2000","udp":"53","seconds":30,"connect":true}"#))
  }

  static let wrongAssignments: [(change: (String, String), complaint: String)] = [
    (("respond/1", "respond/2"), "'schema' must be"),
    (("\"key\":\"00", "\"key\":\""), "64 hexadecimal digits"),
    (("\"key\":\"00", "\"key\":\"0g"), "64 hexadecimal digits"),
    (("\"192.0.2.2\"", "\"192.0.2.256\""), "addresses of IPv4 or IPv6"),
    (("\"192.0.2.2\",\"2001:db8::2\"", ""), "name one at least"),
    (("[\"192.0.2.1\"]", "\"192.0.2.1\""), "'peers' must be a list"),
    (("1000-2000", "2000-1000"), "'tcp' must be ports"),
    (("\"udp\":\"53\",", ""), "'udp' must be ports"),
    (("\"seconds\":30", "\"seconds\":0"), "from 1 to 86400"),
    (("\"seconds\":30", "\"seconds\":3e1"), "from 1 to 86400"),
    (("\"seconds\":30", "\"seconds\":86401"), "from 1 to 86400"),
    (("\"connect\":true", "\"connect\":1"), "true or false"),
    (("\"connect\":true", "\"conect\":true"), "no member 'conect'"),
    (("\"connect\":true", "\"udp\":\"53\""), "'udp' is there twice"),
    (("\"connect\":true}", "\"connect\":true"), "no JSON"),
  ]

  @Test(arguments: wrongAssignments.indices)
  func `what is wrong with an assignment is said`(index: Int) throws {
    let (change, complaint) = Self.wrongAssignments[index]
    let text = String(decoding: try Self.assignment().json, as: UTF8.self)
    let wrong = text.replacing(change.0, with: change.1)
    #expect(wrong != text)
    let problem = #expect(throws: Assignment.Problem.self) {
      try Assignment(reading: Array(wrong.utf8))
    }
    #expect(problem?.description.contains(complaint) == true, "\(problem?.description ?? "")")
  }

  static func events() throws -> [ResponderEvent] {
    var readiness = ResponderEvent.Readiness()
    readiness.boundTCP = try ports("22,80-90")
    readiness.takenUDP = try ports("53")
    readiness.refusals = [
      .init(.udp, try address("2001:db8::2"), try ports("1-3"), because: "permission \"denied\"")
    ]
    readiness.icmpRateLimit = 1000
    readiness.blindBecause = "no permission"
    readiness.hasDroppedPrivileges = true
    var ending = ResponderEvent.Ending(.inputEnded)
    ending.arrivals = 3
    ending.untold = 4
    ending.captureTrouble = "no space left on device"
    let (source, destination) = (try address("192.0.2.1"), try address("192.0.2.2"))
    let (source6, destination6) = (try address("2001:db8::1"), try address("2001:db8::2"))
    return [
      .ready(readiness), .ready(.init()), .synced(7), .error("what\n"), .end(ending),
      .end(.init(.elapsed)),
      .arrival(
        .init(from: source, to: destination, .tcp(22), sourcePort: 40000, time: 1_700_000_000)),
      .acceptance(
        .init(
          from: source6, to: destination6, .udp(53), sourcePort: 1, probe: .max, time: .max,
          packet: 9)),
      .arrival(
        .init(from: source6, to: destination6, .icmp(type: 128, code: 0), probe: 0, time: 5)),
      .arrival(.init(from: source, to: destination, .icmp(type: 13, code: 1), probe: 2, time: 5)),
    ]
  }

  @Test func `events are read as they were written`() throws {
    for event in try Self.events() {
      let line = event.json
      #expect(!line.contains(UInt8(ascii: "\n")))
      #expect(try ResponderEvent(reading: line) == event)
    }
    for command in [ResponderCommand.sync(-3), .sync(.max), .stop] {
      #expect(ResponderCommand(reading: command.json) == command)
    }
  }

  @Test func `an arrival is one line`() throws {
    let event = try Self.events()[7]
    #expect(
      String(decoding: event.json, as: UTF8.self) == """
        {"event":"acceptance","protocol":"udp","dport":53,"source":"2001:db8::1","sport":1,\
        "destination":"2001:db8::2","probe":4294967295,"time":9223372036854775807,"packet":9}
        """)
  }

  @Test func `nothing that is read makes a trap`() throws {
    var generator = SeededGenerator(seed: 41)
    var lines = try Self.events().map(\.json)
    lines.append(try Self.assignment().json)
    lines.append(ResponderCommand.sync(12).json)
    var understood = 0
    for round in 0..<6000 {
      var line = lines[round % lines.count]
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<line.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: line[place] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: line.remove(at: place)
        case 2: line.insert(contentsOf: Array("-9999999999".utf8), at: place)
        case 3: line.removeSubrange(place...)
        default: line[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        }
        if line.isEmpty { break }
      }
      if (try? ResponderEvent(reading: line)) != nil { understood += 1 }
      if (try? Assignment(reading: line)) != nil { understood += 1 }
      if ResponderCommand(reading: line) != nil { understood += 1 }
    }
    // Some changes are harmless, most are not.
    #expect(1..<3000 ~= understood)
  }
}
