internal import Addresses
internal import Proof
internal import Scenarios
internal import Simulation

/// The least host on which packets take the way that is claimed of them.
///
/// Its own addresses are those of the scenario's hosts that the packets are for or from; every
/// other end of a packet is reached by a route of its own through the interface that the packet
/// uses. So one host serves many packets, as long as no address is on both sides.
struct HostSketch {
  private var own: [IPAddress: InterfaceName] = [:]
  private var others: [IPAddress: InterfaceName] = [:]
  private let isForwarding: Bool

  /// What one packet asks of its host.
  struct Demand {
    var own: [IPAddress: InterfaceName] = [:]
    var others: [IPAddress: InterfaceName] = [:]
    var isForwarding: Bool

    /// - Parameters:
    ///   - packet: The packet.
    ///   - hosts: The hosts that the scenario names, which have their addresses together.
    init(_ packet: WitnessPacket, hosts: [HostDeclaration]) {
      let (source, destination) = packet.ends
      isForwarding = packet.kind == .through
      let eth0 = InterfaceName("eth0") ?? .none
      switch packet.kind {
      case .inbound:
        let input = packet.input ?? eth0
        own[destination] = input
        others[source] = input
        add(siblings(of: destination, in: hosts), by: input)
      case .outbound:
        let output = packet.output ?? eth0
        own[source] = output
        others[destination] = output
        add(siblings(of: source, in: hosts), by: output)
      case .looped:
        own[source] = eth0
        own[destination] = eth0
      case .through:
        others[source] = packet.input ?? eth0
        others[destination] = packet.output ?? eth0
      }
    }

    private mutating func add(_ addresses: [IPAddress], by interface: InterfaceName) {
      for address in addresses where own[address] == nil && others[address] == nil {
        own[address] = interface
      }
    }

    /// The addresses of the host that has this one, itself left out.
    private func siblings(of address: IPAddress, in hosts: [HostDeclaration]) -> [IPAddress] {
      guard
        let host = hosts.first(where: {
          $0.addresses[address.family].contains(address.rawValue)
        })
      else { return [] }
      return IPFamily.allCases.flatMap { family in
        host.addresses[family].intervals.filter { $0.lower == $0.upper }.prefix(16)
          .filter { HostAddresses.unicast(family).contains($0.lower) }
          .map { IPAddress(family, rawValue: $0.lower) }
      }.filter { $0 != address }
    }
  }

  init(_ demand: Demand) {
    own = demand.own
    others = demand.others
    isForwarding = demand.isForwarding
  }

  /// Takes on what another packet asks, if one host can have both.
  mutating func take(on demand: Demand) -> Bool {
    guard demand.isForwarding == isForwarding else { return false }
    for (address, interface) in demand.own
    where others[address] != nil || (own[address] ?? interface) != interface {
      return false
    }
    for (address, interface) in demand.others
    where own[address] != nil || (others[address] ?? interface) != interface {
      return false
    }
    own.merge(demand.own) { first, _ in first }
    others.merge(demand.others) { first, _ in first }
    return true
  }

  /// An address of the ranges for measurements between routers (RFC 2544, RFC 5180).
  private static func spare(_ number: Int, _ family: IPFamily) -> IPAddress {
    switch family {
    case .ipv4: IPAddress(.ipv4, rawValue: 198 << 24 | 18 << 16 | UInt128(number + 1))
    case .ipv6:
      IPAddress(.ipv6, rawValue: 0x2001_0002 << 96 | UInt128(number + 1))
    }
  }

  /// The host, with reverse-path filters off.
  var host: Host {
    let used = Set(own.values).union(others.values).sorted { $0.rawValue < $1.rawValue }
    let interfaces = used.enumerated().map { number, name in
      var addresses = own.filter { $0.value == name }.keys.sorted()
      // An interface without an address is none that a router has, or that masquerades.
      for family in IPFamily.allCases
      where !addresses.contains(where: { $0.family == family }) {
        let address = Self.spare(number, family)
        if others[address] == nil, own[address] == nil { addresses.append(address) }
      }
      return Host.Interface(
        name: name,
        addresses: addresses.map { Host.Interface.Address($0, length: $0.family.bitWidth) })
    }
    let routes = others.sorted { $0.key < $1.key }.map { address, name in
      Host.Route(
        to: IPPrefix(containing: address, length: address.family.bitWidth), device: name)
    }
    return Host(
      interfaces: interfaces, routes: routes, isForwarding: isForwarding, acceptsLocal: false)
  }
}

extension WitnessPacket {
  /// The packet's addresses.
  var ends: (source: IPAddress, destination: IPAddress) {
    func number(_ range: Range<Int>) -> UInt128 {
      bytes[range].reduce(0) { $0 << 8 | UInt128($1) }
    }
    switch family {
    case .ipv4:
      return (
        IPAddress(.ipv4, rawValue: number(12..<16)), IPAddress(.ipv4, rawValue: number(16..<20))
      )
    case .ipv6:
      return (
        IPAddress(.ipv6, rawValue: number(8..<24)), IPAddress(.ipv6, rawValue: number(24..<40))
      )
    }
  }
}
