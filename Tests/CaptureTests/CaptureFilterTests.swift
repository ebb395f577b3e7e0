import Addresses
import Capture
import Foundation
import Testing
import Wire

@Suite("The filter of a run")
struct CaptureFilterTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let isLetThrough: Bool
    let packet: [UInt8]

    init(_ description: String, _ isLetThrough: Bool, _ packet: [UInt8]?) {
      testDescription = description
      self.isLetThrough = isLetThrough
      self.packet = packet ?? []
    }
  }

  private static func filter() throws -> CaptureFilter {
    let local = try AddressSet(name4).union(AddressSet(name6)).union(net4).union(net6)
    return CaptureFilter([
      .init(local: local, transport: .tcp, ports: 40_000...40_999),
      .init(local: local, transport: .udp, ports: 40_000...40_999),
      .init(local: local, transport: .icmp, ports: 7...9),
      .init(local: local, transport: .icmpv6, ports: 7...9),
      .init(local: local, transport: .gre),
    ])
  }

  private static var name4: IPAddress { get throws { try #require(IPAddress("10.0.0.5")) } }
  private static var name6: IPAddress { get throws { try #require(IPAddress("fd00::5")) } }
  private static var net4: AddressSet {
    get throws { AddressSet(try IPPrefix(reading: "10.7.4.0/22")) }
  }
  private static var net6: AddressSet {
    get throws { AddressSet(try IPPrefix(reading: "fd00:7::/70")) }
  }

  private static func built(
    _ source: String, _ destination: String, _ segment: PacketBuilder.Segment
  ) -> [UInt8]? {
    guard let source = IPAddress(source), let destination = IPAddress(destination) else {
      return nil
    }
    return PacketBuilder.packet(from: source, to: destination, carrying: segment)
  }

  private static func error(
    _ type: UInt8, from source: String, to destination: String, about quoted: [UInt8]?
  ) -> [UInt8]? {
    built(
      source, destination,
      .icmp(ICMPHeader(type: type, code: 0, rest: 0), payload: Array((quoted ?? []).prefix(48))))
  }

  /// The same IPv4 packet with options behind its fixed header, or as a later fragment.
  private static func changed(_ packet: [UInt8]?, options: [UInt8] = [], fragment: UInt16 = 0)
    -> [UInt8]?
  {
    guard var packet, packet.count >= 20 else { return nil }
    packet.insert(contentsOf: options, at: 20)
    packet[0] = 0x45 + UInt8(options.count / 4)
    packet[6] = UInt8(fragment >> 8)
    packet[7] = UInt8(fragment & 255)
    return packet
  }

  static let cases: [Case] = {
    var cases: [Case] = []
    for (local, near, peer, outside) in [
      ("10.0.0.5", "10.7.7.255", "10.0.0.1", "10.7.8.0"),
      ("fd00::5", "fd00:7:0:0:3ff:ffff:ffff:ffff", "fd00::1", "fd00:7:0:0:400::"),
    ] {
      let isIPv6 = local.contains(":")
      let unreachable: UInt8 = isIPv6 ? 1 : 3
      let echo: UInt8 = isIPv6 ? 128 : 8
      let reply: UInt8 = isIPv6 ? 129 : 0
      func icmp(_ type: UInt8, _ identifier: UInt32) -> PacketBuilder.Segment {
        .icmp(ICMPHeader(type: type, code: 0, rest: identifier << 16 | 1), payload: [1, 2])
      }
      let out = built(local, peer, tcp(40_000, 22))
      cases += [
        Case("a SYN of the run", true, out),
        Case("its answer", true, built(peer, local, tcp(22, 40_999))),
        Case("UDP of the run", true, built(near, peer, udp(40_500, 53))),
        Case("its answer", true, built(peer, near, udp(53, 40_500))),
        Case("a port below", false, built(local, peer, tcp(39_999, 22))),
        Case("a port above", false, built(local, peer, tcp(41_000, 22))),
        Case("an answer to a port above", false, built(peer, local, tcp(22, 41_000))),
        Case("the port at the other end", false, built(peer, local, tcp(40_000, 22))),
        Case("an address outside", false, built(outside, peer, tcp(40_000, 22))),
        Case("UDP to an address outside", false, built(peer, outside, udp(53, 40_500))),
        Case("an echo of the run", true, built(local, peer, icmp(echo, 8))),
        Case("its reply", true, built(peer, local, icmp(reply, 8))),
        Case("another echo", false, built(local, peer, icmp(echo, 10))),
        Case("an echo of others", false, built(peer, outside, icmp(echo, 8))),
        Case("a protocol without ports", true, built(peer, local, .other(.gre, [0, 0, 8, 0]))),
        Case("another protocol", false, built(peer, local, .other(.esp, [0, 0, 0, 1]))),
        Case(
          "an error about a packet of the run, from a router", true,
          error(unreachable, from: "\(isIPv6 ? "fd99::1" : "192.0.2.1")", to: local, about: out)),
        Case(
          "an error about an answer, from this machine", true,
          error(
            unreachable, from: local, to: peer, about: built(peer, local, udp(53, 40_001)))),
        Case(
          "an error about an echo of the run", true,
          error(unreachable, from: peer, to: local, about: built(local, peer, icmp(echo, 9)))),
        Case(
          "an error about another echo", false,
          error(unreachable, from: peer, to: local, about: built(local, peer, icmp(echo, 10)))),
        Case(
          "an error about another port", false,
          error(
            unreachable, from: peer, to: local, about: built(local, peer, tcp(39_999, 22)))),
        Case(
          "an error about an address outside", false,
          error(
            unreachable, from: peer, to: local, about: built(outside, peer, tcp(40_000, 22)))),
        Case(
          "a message that quotes nothing", false,
          error(isIPv6 ? 134 : 9, from: peer, to: local, about: out)),
      ]
    }
    let out = built("10.0.0.5", "10.0.0.1", tcp(40_000, 22))
    let options: [UInt8] = [1, 1, 1, 1, 1, 1, 1, 1]
    cases += [
      Case("a packet with options", true, changed(out, options: options)),
      Case("a first fragment", true, changed(out, fragment: 0x2000)),
      Case("a later fragment, whose bytes are no ports", false, changed(out, fragment: 1)),
      Case(
        "an error about a packet with options", true,
        error(3, from: "10.0.0.1", to: "10.0.0.5", about: changed(out, options: options))),
      Case(
        "an error about a later fragment", false,
        error(3, from: "10.0.0.1", to: "10.0.0.5", about: changed(out, fragment: 1))),
      Case(
        "an error with options of its own", true,
        changed(error(11, from: "10.0.0.1", to: "10.0.0.5", about: out), options: options)),
      Case("an error that is cut off", false, Array((out ?? []).prefix(21))),
      Case(
        "an IPv6 fragment", false,
        built("fd00::5", "fd00::1", .other(.init(rawValue: 44), [6, 0, 0, 0, 0x9C, 0x40, 0, 22]))),
    ]
    return cases
  }()

  @Test("has through what is of the run, and no more", arguments: cases)
  func judges(each: Case) throws {
    #expect(!each.packet.isEmpty)
    #expect(try Self.filter().judgements(on: [each.packet]) == [each.isLetThrough])
  }

  @Test func `of no flows has nothing through`() throws {
    let filter = CaptureFilter([])
    let packets = Self.cases.map(\.packet)
    #expect(try filter.judgements(on: packets).allSatisfy { !$0 })
  }

  @Test func `of all addresses and ports asks for the protocol alone`() throws {
    let filter = CaptureFilter([.init(local: .any, transport: .udp)])
    let packets = try [
      packet(udp(1, 2)), packet(udp(3, 4), from: "fd00::5", to: "fd00::1"), packet(tcp(1, 2)),
    ]
    #expect(try filter.judgements(on: packets) == [true, true, false])
  }

  @Test func `of one family has nothing of the other through`() throws {
    let filter = CaptureFilter([
      .init(local: AddressSet(try #require(IPAddress("10.0.0.5"))), transport: .udp)
    ])
    let packets = try [packet(udp(1, 2)), packet(udp(3, 4), from: "fd00::5", to: "fd00::1")]
    #expect(try filter.judgements(on: packets) == [true, false])
  }
}
