package import Addresses

/// The filter that has the packets of some flows through, and the ICMP errors about them.
///
/// Ports are looked for in unfragmented packets and first fragments, in IPv6 directly behind the
/// fixed header. An error about a flow quotes one of its packets; who sent it, and to whom, does
/// not matter. Where frames bring VLAN tags in their bytes the filter lets nothing through; at an
/// interface of Linux they do not, as the kernel takes the tags out before it filters.
package struct CaptureFilter: Hashable, Sendable {
  /// Flows of this machine.
  package struct Flows: Hashable, Sendable {
    /// The addresses of this machine that they use.
    package var local: AddressSet
    package var transport: TransportProtocol
    /// The ports of this machine; for ICMP echoes the identifiers.
    ///
    /// They count where the protocol has them.
    package var ports: ClosedRange<UInt16>

    package init(
      local: AddressSet, transport: TransportProtocol, ports: ClosedRange<UInt16> = 0...UInt16.max
    ) {
      self.local = local
      self.transport = transport
      self.ports = ports
    }
  }

  /// In the language of pcap-filter(7).
  package let text: String

  /// - Parameter flows: Any of them; with none the filter lets nothing through.
  package init(_ flows: [Flows]) {
    var terms: [String] = []
    for each in flows {
      for family in IPFamily.allCases where !each.local[family].isEmpty {
        // Each family has an ICMP of its own.
        if each.transport == (family == .ipv4 ? .icmpv6 : .icmp) { continue }
        let header = family == .ipv4 ? HeaderText.ipv4 : .ipv6
        terms.append("(\(header.flows(each)))")
        terms.append("(\(header.errors(about: each)))")
      }
    }
    // libpcap refuses what it sees to be false; no packet is that long.
    text = terms.isEmpty ? "len = 4294967295" : terms.joined(separator: " or ")
  }

  /// Whether libpcap lets through each of `packets`, which begin with their IP headers.
  ///
  /// - Throws: ``CaptureError/badFilter(_:message:)`` where libpcap does not compile the text.
  package func judgements(on packets: [[UInt8]]) throws(CaptureError) -> [Bool] {
    try Self.judgements(of: text, on: packets)
  }

  /// Whether libpcap lets through each of `packets`, which begin with their IP headers.
  ///
  /// - Throws: ``CaptureError/badFilter(_:message:)`` where libpcap does not compile the text.
  package static func judgements(
    of text: String, on packets: [[UInt8]]
  ) throws(CaptureError) -> [Bool] {
    guard let handle = PcapHandle.dead(.rawIP) else {
      throw .badFilter(text, message: "memory is short")
    }
    do throws(PcapHandle.FilterFailure) {
      return try handle.judgements(of: text, on: packets)
    } catch {
      switch error {
      case .notCompiled(let message), .notSet(let message):
        throw .badFilter(text, message: message)
      }
    }
  }
}

/// Where the fields of a packet are, as texts of pcap-filter(7).
private struct HeaderText {
  let family: IPFamily
  /// What is true of packets of this family.
  let name: String
  /// An octet or more of the packet, from its IP header on.
  let field: (_ offset: String, _ size: Int) -> String
  /// Where the transport header begins.
  let payload: String
  let protocolOffset: Int
  let sourceOffset: Int
  let destinationOffset: Int
  /// What is true of packets whose transport header can be read.
  let isReadable: String
  let icmp: TransportProtocol
  /// The types of messages that are an answer to a packet which they quote.
  let errorTypes: [UInt8]
  let echoTypes: [UInt8]
  /// Where the transport header begins in an IP header that begins at the offset.
  let quotedPayload: (_ quote: String) -> String

  static var ipv4: HeaderText {
    let payload = "((ip[0] & 15) << 2)"
    return HeaderText(
      family: .ipv4, name: "ip", field: { "ip[\($0):\($1)]" }, payload: payload,
      protocolOffset: 9, sourceOffset: 12, destinationOffset: 16,
      isReadable: "ip[6:2] & 0x1fff = 0", icmp: .icmp,
      // RFC 792: unreachable, source quench, redirect, time exceeded, parameter problem.
      errorTypes: [3, 4, 5, 11, 12], echoTypes: [0, 8],
      quotedPayload: { "(\($0) + ((ip[\($0)] & 15) << 2))" })
  }

  static var ipv6: HeaderText {
    HeaderText(
      family: .ipv6, name: "ip6", field: { "ip6[\($0):\($1)]" }, payload: "40",
      protocolOffset: 6, sourceOffset: 8, destinationOffset: 24,
      isReadable: "ip6[6] != 44", icmp: .icmpv6,
      // RFC 4443 §3: unreachable, too big, time exceeded, parameter problem.
      errorTypes: [1, 2, 3, 4], echoTypes: [128, 129],
      quotedPayload: { "(\($0) + 40)" })
  }

  func flows(_ flows: CaptureFilter.Flows) -> String {
    conjunction([
      name,
      "\(octet(protocolOffset)) = \(flows.transport.rawValue)",
      ends(of: flows, packetAt: nil),
    ])
  }

  func errors(about flows: CaptureFilter.Flows) -> String {
    let quote = "(\(payload) + 8)"
    return conjunction([
      name,
      "\(octet(protocolOffset)) = \(icmp.rawValue)",
      isReadable,
      anyOf(payload, errorTypes),
      "\(field("(\(quote) + \(protocolOffset))", 1)) = \(flows.transport.rawValue)",
      ends(of: flows, packetAt: quote),
    ])
  }

  /// Whether one end of the packet is of this machine.
  private func ends(of flows: CaptureFilter.Flows, packetAt start: String?) -> String {
    let transport = start.map(quotedPayload) ?? payload
    func address(_ offset: Int) -> String {
      let terms = AddressSet(family, flows.local[family]).prefixes.map { prefix in
        matches(prefix, at: offset, of: start)
      }
      return "(\(terms.joined(separator: " or ")))"
    }
    let source = address(sourceOffset)
    let destination = address(destinationOffset)
    if flows.transport.hasPorts {
      let from = conjunction([source, port(at: transport, 0, flows.ports)])
      let to = conjunction([destination, port(at: transport, 2, flows.ports)])
      // A later fragment has no ports; a quoted one has none either.
      return conjunction([fragmentTest(start), "((\(from)) or (\(to)))"])
    }
    let either = "(\(source) or \(destination))"
    guard flows.transport == icmp else { return either }
    return conjunction([
      either, fragmentTest(start), anyOf(transport, echoTypes), port(at: transport, 4, flows.ports),
    ])
  }

  private func fragmentTest(_ start: String?) -> String? {
    guard let start else { return isReadable }
    return family == .ipv4 ? "\(field("(\(start) + 6)", 2)) & 0x1fff = 0" : nil
  }

  private func port(at transport: String, _ offset: Int, _ range: ClosedRange<UInt16>) -> String? {
    if range == 0...UInt16.max { return nil }
    let value = field(offset == 0 ? transport : "(\(transport) + \(offset))", 2)
    if range.count == 1 { return "\(value) = \(range.lowerBound)" }
    return "(\(value) >= \(range.lowerBound) and \(value) <= \(range.upperBound))"
  }

  /// Whether the address at `offset` lies in `prefix`, 32 bits at a time.
  private func matches(_ prefix: IPPrefix, at offset: Int, of start: String?) -> String {
    var terms: [String] = []
    for word in 0..<(family.bitWidth / 32) {
      let bits = min(32, prefix.length - 32 * word)
      guard bits > 0 else { break }
      let place = offset + 4 * word
      let value = field(start.map { "(\($0) + \(place))" } ?? "\(place)", 4)
      let shift = UInt128(family.bitWidth - 32 - 32 * word)
      let number = UInt32(truncatingIfNeeded: prefix.network.rawValue >> shift)
      let mask = ~UInt32(0) << UInt32(32 - bits)
      terms.append("\(value)\(bits == 32 ? "" : " & \(mask)") = \(number)")
    }
    // Every address of the family.
    if terms.isEmpty { return name }
    return "(\(terms.joined(separator: " and ")))"
  }

  private func octet(_ offset: Int) -> String { field("\(offset)", 1) }

  private func anyOf(_ place: String, _ values: [UInt8]) -> String {
    "(\(values.map { "\(field(place, 1)) = \($0)" }.joined(separator: " or ")))"
  }

  private func conjunction(_ terms: [String?]) -> String {
    terms.compactMap(\.self).joined(separator: " and ")
  }
}
