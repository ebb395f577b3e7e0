import Addresses
import Simulation

/// The hosts that packets cross.
enum HostSamples {
  static let names = ["eth0", "eth1", "wg0", "lo"]
  static let ipv4 = ["10.0.0.1", "10.1.0.1", "10.2.0.1", "10.0.0.7"]
  static let ipv6 = ["fd00:0::1", "fd00:1::1", "fd00:2::1"]
  static let hardware: [UInt64] = [0x0250_5000_0001, 0x0250_5000_0002, 0x0250_5000_0003]

  /// A name, which is known to be short enough.
  static func name(_ text: String) -> InterfaceName {
    guard let name = InterfaceName(text) else { preconditionFailure("\(text) is too long") }
    return name
  }

  static func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
    return address
  }

  private static func interface(
    _ name: String, _ index: UInt32, _ hardware: UInt64?, _ addresses: [(String, Int)]
  ) -> Host.Interface {
    Host.Interface(
      name: self.name(name), index: index, hardwareAddress: hardware.map(MACAddress.init),
      addresses: addresses.map { Host.Interface.Address(address($0.0), length: $0.1) })
  }

  private static let interfaces = [
    interface("lo", 1, nil, [("127.0.0.1", 8), ("::1", 128)]),
    interface("eth0", 2, hardware[0], [("10.0.0.1", 24), ("10.0.0.7", 24), ("fd00:0::1", 64)]),
    interface("eth1", 3, hardware[1], [("10.1.0.1", 24), ("fd00:1::1", 64)]),
    interface("wg0", 4, hardware[2], [("10.2.0.1", 30), ("fd00:2::1", 64)]),
  ]

  private static let routes = [
    Host.Route(to: nil, device: name("eth1")),
    Host.Route(
      to: IPPrefix(containing: address("172.16.0.0"), length: 12), device: name("wg0")),
    Host.Route(
      to: IPPrefix(containing: address("2001:db8:2::"), length: 48), device: name("wg0")),
  ]

  /// A router, a router that checks where packets come from, a host that does not forward, a router
  /// that takes loopback addresses from outside.
  static let all: [Host] = [
    Host(interfaces: interfaces, routes: routes, isForwarding: true, acceptsLocal: false),
    Host(
      interfaces: interfaces, routes: routes, isForwarding: true, reversePathFilter: 1,
      acceptsLocal: false),
    Host(interfaces: interfaces, routes: routes, isForwarding: false, acceptsLocal: false),
    Host(
      interfaces: interfaces, routes: routes, isForwarding: true, reversePathFilter: 2,
      routesLocalnet: true, acceptsLocal: false),
  ]
}
