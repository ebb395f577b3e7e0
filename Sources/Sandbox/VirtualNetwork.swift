import Addresses
internal import LinuxKernel
internal import Simulation

/// The interfaces, addresses and routes of a host, in the network namespace of this process.
///
/// Each interface is one end of a virtual pair whose other end takes the frames. Nothing ever
/// leaves by an interface, so there are no neighbours to know.
struct VirtualNetwork: ~Copyable {
  private let routing: NetlinkSocket
  private let host: Host
  private let plan: InterfacePlan

  init(_ host: Host) throws(SandboxError) {
    let routing = try attempting("opening a routing socket") { () throws(Errno) in
      try NetlinkSocket(.route, patience: .seconds(10))
    }
    self.routing = routing
    plan = InterfacePlan(host)
    self.host = host
  }

  /// Makes what the description says, and the pair that the bell hangs at.
  func build() throws(SandboxError) {
    try configureDefaults()
    for (number, interface) in plan.entries.enumerated() { try addPair(interface, number) }
    try addPair(InterfacePlan.bell, plan.entries.count)
    try raise(1, "lo")
    for interface in host.interfaces {
      let index = try index(of: interface.name)
      for own in interface.addresses { try addAddress(own, to: index, interface.name) }
      for group in interface.groups ?? [] {
        let own = Host.Interface.Address(group, length: group.family.bitWidth)
        try addAddress(own, to: index, interface.name, isGroup: true)
      }
    }
    for route in host.routes { try addRoute(route) }
    try awaitLocalRoutes()
  }

  private func configureDefaults() throws(SandboxError) {
    var settings = [
      ("net/ipv4/ip_forward", host.isForwarding ? 1 : 0),
      ("net/ipv6/conf/all/forwarding", host.isForwarding ? 1 : 0),
      // No link-local addresses that the description does not have, and no duplicates sought.
      ("net/ipv6/conf/default/addr_gen_mode", 1),
      ("net/ipv6/conf/default/accept_dad", 0),
      ("net/ipv6/conf/default/accept_ra", 0),
    ]
    // What is not set here would come from the machine: net.core.devconf_inherit_init_net.
    for scope in ["all", "default", "lo"] {
      settings += [
        ("net/ipv4/conf/\(scope)/rp_filter", host.reversePathFilter),
        ("net/ipv4/conf/\(scope)/route_localnet", host.routesLocalnet ? 1 : 0),
        ("net/ipv4/conf/\(scope)/accept_local", host.acceptsLocal == true ? 1 : 0),
      ]
    }
    for (path, value) in settings {
      try attempting("setting \(path)") { () throws(Errno) in try Machine.set(path, to: value) }
    }
  }

  /// Adds an interface that has no address and stays down; rules can name it.
  func addIdle(_ name: InterfaceName) throws(SandboxError) {
    // RTM_NEWLINK; NLM_F_EXCL | NLM_F_CREATE.
    var message = NetlinkMessage(type: 16, flags: 0x600)
    Self.appendLink(&message, index: 0)
    message.attribute(3, Array(name.description.utf8) + [0])  // IFLA_IFNAME
    message.attribute(18) { information in  // IFLA_LINKINFO
      information.attribute(1, Array("veth".utf8))  // IFLA_INFO_KIND
    }
    do throws(Errno) {
      try routing.perform(message)
    } catch  where error == .alreadyExists {
      return
    } catch {
      throw .failed(step: "adding interface \(name)", error)
    }
  }

  private func index(of name: InterfaceName) throws(SandboxError) -> UInt32 {
    if name == InterfacePlan.loopback { return 1 }
    guard let entry = plan[name] else { throw .unknownInterface(name.description) }
    return entry.index
  }

  // Source: rtnetlink(7); include/uapi/linux/if_link.h, if_addr.h, rtnetlink.h.

  private func addPair(
    _ interface: InterfacePlan.Entry, _ number: Int
  ) throws(SandboxError) {
    let name = interface.name.description
    guard interface.index <= InterfacePlan.bell.index else {
      throw .failed(step: "giving \(name) the index \(interface.index)", .invalidArgument)
    }
    // RTM_NEWLINK; NLM_F_EXCL | NLM_F_CREATE.
    var message = NetlinkMessage(type: 16, flags: 0x600)
    Self.appendLink(&message, index: interface.index)
    message.attribute(3, Array(name.utf8) + [0])  // IFLA_IFNAME
    message.attribute(1, octets(of: interface.hardwareAddress))  // IFLA_ADDRESS
    message.attribute(18) { information in  // IFLA_LINKINFO
      information.attribute(1, Array("veth".utf8))  // IFLA_INFO_KIND
      information.attribute(2) { data in  // IFLA_INFO_DATA
        data.attribute(1) { peer in  // VETH_INFO_PEER
          Self.appendLink(&peer, index: interface.farIndex)
          peer.attribute(3, Array("portproof-\(number)".utf8) + [0])
        }
      }
    }
    try perform(message, "adding interface \(name)")
    try attempting("setting up the far end of \(name)") { () throws(Errno) in
      try Machine.set("net/ipv6/conf/portproof-\(number)/disable_ipv6", to: 1)
    }
    // The far end first: the near one then has a carrier at once when it is raised.
    try raise(interface.farIndex, name)
    try raise(interface.index, name)
  }

  /// The fixed part `ifinfomsg`, all else unspecified.
  private static func appendLink(
    _ message: inout NetlinkMessage, index: UInt32, flags: UInt32 = 0
  ) {
    message.append(UInt32(0))
    message.append(index)
    message.append(flags)
    message.append(flags)
  }

  private func raise(_ index: UInt32, _ name: String) throws(SandboxError) {
    var message = NetlinkMessage(type: 16)  // RTM_NEWLINK
    // IFF_UP; IFF_NOARP: no neighbour is ever asked for, and none is needed.
    Self.appendLink(&message, index: index, flags: index == 1 ? 1 : 0x81)
    try perform(message, "raising interface \(name)")
  }

  private func addAddress(
    _ own: Host.Interface.Address, to index: UInt32, _ name: InterfaceName, isGroup: Bool = false
  ) throws(SandboxError) {
    // RTM_NEWADDR; NLM_F_CREATE: what the loopback has of its own is there already.
    var message = NetlinkMessage(type: 20, flags: 0x400)
    message.append(own.address.family.netfilterNumber)
    message.append(UInt8(own.length))
    message.append(UInt16(0))
    message.append(index)
    let octets = octets(of: own.address)
    message.attribute(2, octets)  // IFA_LOCAL
    message.attribute(1, octets)  // IFA_ADDRESS
    // IFA_FLAGS: IFA_F_NODAD; IFA_F_MCAUTOJOIN, by which a group is joined.
    message.attribute(8, UInt32(isGroup ? 0x402 : 2))
    do throws(Errno) {
      try routing.perform(message)
    } catch  where error == .alreadyExists {
      return
    } catch {
      throw .failed(step: "adding \(own.address) to \(name)", error)
    }
  }

  private func addRoute(_ route: Host.Route) throws(SandboxError) {
    let index = try index(of: route.device)
    let destinations =
      route.destination.map { [$0] }
      ?? IPFamily.allCases.map { IPPrefix(containing: IPAddress($0, rawValue: 0), length: 0) }
    for destination in destinations
    where route.gateway.map({ $0.family == destination.family }) ?? true {
      var message = NetlinkMessage(type: 24, flags: 0x400)  // RTM_NEWROUTE; NLM_F_CREATE
      message.append(destination.family.netfilterNumber)
      message.append(UInt8(destination.length))
      message.append(UInt16(0))
      message.append(UInt8(254))  // RT_TABLE_MAIN
      message.append(UInt8(4))  // RTPROT_STATIC
      // RT_SCOPE_LINK for an IPv4 network of the device's own.
      let isLink = destination.family == .ipv4 && route.gateway == nil
      message.append(UInt8(isLink ? 253 : 0))
      message.append(UInt8(1))  // RTN_UNICAST
      // RTNH_F_ONLINK: the gateway need not be in a network of the device's.
      message.append(UInt32(route.gateway == nil ? 0 : 4))
      // RTA_DST.
      if destination.length > 0 { message.attribute(1, octets(of: destination.network)) }
      // RTA_GATEWAY.
      if let gateway = route.gateway { message.attribute(5, octets(of: gateway)) }
      message.attribute(4, index)  // RTA_OIF
      try perform(message, "adding a route to \(destination)")
    }
  }

  /// Waits until the kernel takes every IPv6 address for its own, which it comes to do by itself.
  ///
  /// Source: net/ipv6/addrconf.c, `addrconf_dad_work`; net/ipv6/route.c, `rt6_info_route` prints
  /// address, length, …, flags, device.
  private func awaitLocalRoutes() throws(SandboxError) {
    let wanted = Set(
      host.interfaces.flatMap(\.addresses).map(\.address).filter { $0.family == .ipv6 }
        .map { hexadecimal(octets(of: $0)) })
    let deadline = Clocks.monotonic + .seconds(10)
    while true {
      let table = try attempting("reading the routes") { () throws(Errno) in
        try Files.read("/proc/self/net/ipv6_route")
      }
      var missing = wanted
      for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
        let words = line.split(separator: " ")
        guard words.count >= 9, words[1] == "80", let flags = UInt32(words[8], radix: 16) else {
          continue
        }
        if flags & 0x8000_0000 != 0 { missing.remove(String(words[0])) }  // RTF_LOCAL
      }
      if missing.isEmpty { return }
      guard Clocks.monotonic < deadline else {
        throw .failed(step: "waiting for the IPv6 addresses", .timedOut)
      }
      Clocks.sleep(.milliseconds(1))
    }
  }

  private func perform(_ message: NetlinkMessage, _ step: String) throws(SandboxError) {
    do throws(Errno) {
      try routing.perform(message)
    } catch {
      throw .failed(step: step, error)
    }
  }
}

/// Does a step of which the user should hear when it fails.
func attempting<Value: ~Copyable>(
  _ step: String, _ body: () throws(Errno) -> Value
) throws(SandboxError) -> Value {
  do throws(Errno) {
    return try body()
  } catch {
    throw .failed(step: step, error)
  }
}

/// The octets of an address, as on the wire.
func octets(of address: IPAddress) -> [UInt8] {
  stride(from: address.family.bitWidth - 8, through: 0, by: -8).map {
    UInt8(truncatingIfNeeded: address.rawValue >> UInt128($0))
  }
}

/// The octets of a hardware address, as on the wire.
func octets(of hardware: UInt64) -> [UInt8] {
  stride(from: 40, through: 0, by: -8).map { UInt8(truncatingIfNeeded: hardware >> UInt64($0)) }
}

private func hexadecimal(_ octets: [UInt8]) -> String {
  octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
