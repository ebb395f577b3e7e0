import Addresses
import Simulation

extension OctetWriter {
  /// Adds a host description.
  mutating func write(_ host: Host) {
    for value in [
      host.isForwarding ? 1 : 0, host.reversePathFilter, host.routesLocalnet ? 1 : 0,
      host.acceptsLocal == true ? 1 : 0,
    ] {
      write(UInt32(clamping: value))
    }
    write(UInt32(host.interfaces.count))
    for interface in host.interfaces {
      write(interface.name)
      write(interface.index ?? 0)
      write(interface.hardwareAddress)
      write(UInt32(interface.addresses.count))
      for own in interface.addresses { write(own.address, length: own.length) }
      write(UInt32(interface.groups?.count ?? 0))
      for group in interface.groups ?? [] { write(group, length: group.family.bitWidth) }
    }
    write(UInt32(host.routes.count))
    for route in host.routes {
      write(route.device)
      write(UInt32(route.destination == nil ? 0 : 1))
      if let prefix = route.destination { write(prefix.network, length: prefix.length) }
      write(UInt32(route.gateway == nil ? 0 : 1))
      if let gateway = route.gateway { write(gateway, length: 0) }
    }
  }
}

extension OctetReader {
  /// Reads what ``OctetWriter/write(_:)-(Host)`` wrote.
  mutating func host() -> Host {
    var host = Host(
      interfaces: [], isForwarding: number() != 0, reversePathFilter: Int(number()),
      routesLocalnet: number() != 0, acceptsLocal: number() != 0)
    for _ in 0..<count() {
      let name = name()
      let index = number()
      let hardware = hardwareAddress()
      var interface = Host.Interface(
        name: name, index: index == 0 ? nil : index, hardwareAddress: hardware, addresses: [])
      for _ in 0..<count() {
        let (address, length) = address()
        interface.addresses.append(Host.Interface.Address(address, length: length))
      }
      interface.groups = (0..<count()).map { _ in address().0 }
      host.interfaces.append(interface)
    }
    for _ in 0..<count() {
      let device = name()
      var destination: IPPrefix?
      if number() != 0 {
        let (address, length) = address()
        destination = IPPrefix(containing: address, length: length)
      }
      let gateway = number() == 0 ? nil : address().0
      host.routes.append(Host.Route(to: destination, device: device, gateway: gateway))
    }
    return host
  }
}

/// What the interfaces of a host are in the sandbox; parent and child come to the same.
struct InterfacePlan: Hashable {
  struct Entry: Hashable {
    var name: InterfaceName
    var index: UInt32
    var hardwareAddress: UInt64
    /// The index of the end that frames go into.
    var farIndex: UInt32 { InterfacePlan.firstFarIndex + index }
  }

  /// All but the loopback, in the order of the description.
  private(set) var entries: [Entry] = []
  private var positions: [InterfaceName: Int] = [:]

  static let loopback = InterfaceName("lo") ?? .none
  /// Indices of far ends are out of the way of those that rules may name.
  static let firstFarIndex: UInt32 = 1 << 24
  static let bell = Entry(
    name: InterfaceName(ProbeTable.bell) ?? .none, index: 1 << 23,
    hardwareAddress: ProbeTable.bellAddress)

  init(_ host: Host) {
    var nextIndex = max(1, host.interfaces.compactMap(\.index).filter { $0 < 1 << 16 }.max() ?? 1)
    for interface in host.interfaces where interface.name != Self.loopback {
      nextIndex += interface.index == nil ? 1 : 0
      positions[interface.name] = entries.count
      entries.append(
        Entry(
          name: interface.name, index: interface.index ?? nextIndex,
          hardwareAddress: interface.hardwareAddress?.rawValue
            ?? (0x0250_5000_0000 | UInt64(entries.count))))
    }
  }

  /// What the interface called `name` is; nil where there is none, or it is the loopback.
  subscript(name: InterfaceName) -> Entry? { positions[name].map { entries[$0] } }
}
