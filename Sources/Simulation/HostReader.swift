import Addresses
package import Documents

/// Why a host or a packet cannot be read.
package enum SimulationInputError: Error, Hashable, Sendable {
  /// The text is no JSON; the byte where reading stopped.
  case syntax(JSONError)
  /// A member is missing or has a value it cannot have.
  case member(name: String, problem: String)
  /// Exact bytes that no receiver would take are not an error; these are no bytes.
  case hexadecimal(String)
}

extension SimulationInputError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .syntax(let error): "not JSON: \(error)"
    case .member(let name, let problem): "`\(name)` \(problem)"
    case .hexadecimal(let name): "`\(name)` is not a row of hexadecimal octets"
    }
  }
}

extension Host {
  /// Reads a host description.
  ///
  /// - Throws: ``SimulationInputError`` with the member that is wrong.
  package init(reading bytes: [UInt8]) throws(SimulationInputError) {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONDocument(reading: bytes).value
    } catch {
      throw .syntax(error)
    }
    guard value.kind == .object else { throw .member(name: "host", problem: "is no object") }
    var interfaces: [Interface] = []
    for entry in value["interfaces"]?.array ?? [] {
      guard let text = entry["name"]?.string, let name = InterfaceName(text) else {
        throw .member(name: "interfaces", problem: "has an entry without a usable name")
      }
      var addresses: [Interface.Address] = []
      for address in entry["addresses"]?.array ?? [] {
        addresses.append(try Self.address(address.string ?? ""))
      }
      var hardware: MACAddress?
      if let mac = entry["mac"]?.string {
        hardware = MACAddress(mac)
        if hardware == nil { throw .member(name: "mac", problem: "is no hardware address: \(mac)") }
      }
      var groups: [IPAddress]?
      if let listed = entry["groups"]?.array {
        groups = []
        for group in listed { groups?.append(try Self.address(group.string ?? "").address) }
      }
      interfaces.append(
        Interface(
          name: name, index: entry["index"]?.integer.flatMap { UInt32(exactly: $0) },
          hardwareAddress: hardware, addresses: addresses, groups: groups))
    }
    var routes: [Route] = []
    for entry in value["routes"]?.array ?? [] {
      guard let to = entry["to"]?.string, let device = entry["dev"]?.string,
        let name = InterfaceName(device)
      else { throw .member(name: "routes", problem: "has an entry without `to` and `dev`") }
      let gateway = try entry["via"].map { value throws(SimulationInputError) in
        try Self.address(value.string ?? "").address
      }
      var destination: IPPrefix?
      if to != "default" {
        let own = try Self.address(to)
        destination = IPPrefix(containing: own.address, length: own.length)
        guard gateway == nil || gateway?.family == destination?.family else {
          throw .member(name: "via", problem: "is of another family than \(to)")
        }
      }
      routes.append(Route(to: destination, device: name, gateway: gateway))
    }
    self.init(
      interfaces: interfaces, routes: routes,
      isForwarding: value["forwarding"]?.boolean ?? false,
      reversePathFilter: value["rp_filter"]?.integer ?? 0,
      routesLocalnet: value["route_localnet"]?.boolean ?? false,
      acceptsLocal: value["accept_local"]?.boolean)
  }

  /// Reads `address/length`, or an address alone.
  private static func address(_ text: String) throws(SimulationInputError) -> Interface.Address {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let first = parts.first, parts.count <= 2, let address = IPAddress(first) else {
      throw .member(name: "addresses", problem: "holds \(text), which is no address")
    }
    guard parts.count == 2 else {
      return Interface.Address(address, length: address.family.bitWidth)
    }
    guard let length = Int(parts[1]), (0...address.family.bitWidth).contains(length) else {
      throw .member(name: "addresses", problem: "holds \(text), whose length is none")
    }
    return Interface.Address(address, length: length)
  }
}
