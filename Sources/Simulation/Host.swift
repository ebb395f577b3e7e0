package import Addresses

/// The host that a packet crosses: its devices, addresses and routes.
package struct Host: Hashable, Sendable {
  package struct Interface: Hashable, Sendable {
    package var name: InterfaceName
    package var index: UInt32?
    package var hardwareAddress: MACAddress?
    package var addresses: [Address]
    /// The multicast groups that programs have joined here; nil where the description does not say.
    package var groups: [IPAddress]?

    /// An address of the interface and the length of its network's prefix.
    package struct Address: Hashable, Sendable {
      package var address: IPAddress
      package var length: Int

      package init(_ address: IPAddress, length: Int) {
        self.address = address
        self.length = length
      }
    }

    package init(
      name: InterfaceName, index: UInt32? = nil, hardwareAddress: MACAddress? = nil,
      addresses: [Address], groups: [IPAddress]? = nil
    ) {
      self.name = name
      self.index = index
      self.hardwareAddress = hardwareAddress
      self.addresses = addresses
      self.groups = groups
    }
  }

  package struct Route: Hashable, Sendable {
    /// Nil for the default route of both families.
    package var destination: IPPrefix?
    package var device: InterfaceName
    /// The next router; nil where the destination is on the device's own network.
    ///
    /// A default route for both families leads by it in its family alone.
    package var gateway: IPAddress?

    package init(to destination: IPPrefix?, device: InterfaceName, gateway: IPAddress? = nil) {
      self.destination = destination
      self.device = device
      self.gateway = gateway
    }
  }

  package var interfaces: [Interface]
  package var routes: [Route]
  package var isForwarding: Bool
  /// 0 off, 1 strict, 2 loose.
  package var reversePathFilter: Int
  package var routesLocalnet: Bool
  /// Whether packets with a source of this host's own are let in (`accept_local`); nil where the
  /// description does not say.
  package var acceptsLocal: Bool?
  /// Whether `lo` is described: only then is a packet to the host's own address followed back in.
  var followsLoopback: Bool { interface(Self.loopback) != nil }

  /// Whether the description is a full listing of a network namespace: every interface has an index.
  ///
  /// Without `lo` among them nothing comes back in by it, and no program has joined a group.
  var isFullListing: Bool { !interfaces.isEmpty && interfaces.allSatisfy { $0.index != nil } }

  package init(
    interfaces: [Interface], routes: [Route] = [], isForwarding: Bool = false,
    reversePathFilter: Int = 0, routesLocalnet: Bool = false, acceptsLocal: Bool? = nil
  ) {
    self.interfaces = interfaces
    self.routes = routes
    self.isForwarding = isForwarding
    self.reversePathFilter = reversePathFilter
    self.routesLocalnet = routesLocalnet
    self.acceptsLocal = acceptsLocal
  }

  static let loopback = InterfaceName("lo") ?? .none

  package func interface(_ name: InterfaceName) -> Interface? {
    interfaces.first { $0.name == name }
  }

  /// The device called `name`, with its index where that is known.
  package func device(_ name: InterfaceName) -> Packet.Device {
    // The loopback device is the first of every network namespace.
    .named(name, index: name == Self.loopback ? 1 : interface(name)?.index)
  }
}

extension Host {
  /// Where a route leads.
  enum Destination: Hashable {
    case local(InterfaceName)
    /// The broadcast address of a device's network.
    case broadcast(InterfaceName)
    case device(InterfaceName)
    case unreachable
    /// More than one route would do.
    case ambiguous
  }

  /// The route to an address that is neither multicast nor the limited broadcast.
  func route(to address: IPAddress) -> Destination {
    if let local = localDestination(address) { return local }
    return remoteDestination(address, through: nil)
  }

  /// What the table of local addresses says.
  func localDestination(_ address: IPAddress) -> Destination? {
    let number = address.rawValue
    switch address.family {
    case .ipv4:
      if number == 0x7FFF_FFFF { return .broadcast(Self.loopback) }
      if number >> 24 == 127 { return .local(Self.loopback) }
    case .ipv6: if number == 1 { return .local(Self.loopback) }
    }
    for interface in interfaces {
      for own in interface.addresses where own.address == address { return .local(interface.name) }
    }
    for interface in interfaces {
      for own in interface.addresses where own.address.family == address.family {
        let network = IPPrefix(containing: own.address, length: own.length)
        switch address.family {
        case .ipv4:
          if own.length < 31, network.interval.upper == number {
            return .broadcast(interface.name)
          }
        case .ipv6:
          // The subnet-router anycast address; RFC 4291 §2.6.1.
          if isForwarding, own.length < 127, network.interval.lower == number {
            return .local(interface.name)
          }
        }
      }
    }
    return nil
  }

  /// The longest matching prefix among networks and routes, of all devices or of one.
  func remoteDestination(_ address: IPAddress, through only: InterfaceName?) -> Destination {
    var best: (length: Int, device: InterfaceName)?
    var isAmbiguous = false
    func consider(_ length: Int, _ device: InterfaceName) {
      guard only == nil || only == device else { return }
      if let current = best, current.length >= length {
        if current.length == length, current.device != device { isAmbiguous = true }
        return
      }
      best = (length, device)
      isAmbiguous = false
    }
    for interface in interfaces {
      for own in interface.addresses where own.address.family == address.family {
        let network = IPPrefix(containing: own.address, length: own.length)
        if network.interval.contains(address.rawValue) { consider(own.length, interface.name) }
      }
    }
    for route in routes {
      guard let destination = route.destination else {
        if route.gateway.map({ $0.family == address.family }) ?? true { consider(0, route.device) }
        continue
      }
      if destination.family == address.family, destination.interval.contains(address.rawValue) {
        consider(destination.length, route.device)
      }
    }
    if isAmbiguous { return .ambiguous }
    return best.map { .device($0.device) } ?? .unreachable
  }
}
