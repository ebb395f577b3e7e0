internal import Addresses
internal import Documents
internal import LinuxKernel

/// An assignment as one line of JSON, schema `portproof.respond/1`.
extension Assignment {
  package static let schema = "portproof.respond/1"

  /// Limits of what an assignment may ask for.
  enum Limit {
    static let addresses = 1024
    static let peers = 65536
    static let seconds = 1...86400
  }

  /// Why a line is no assignment.
  package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
  }

  /// The line, without its end.
  package var json: [UInt8] {
    var writer = JSONWriter()
    writer.object {
      $0.member("schema", Self.schema)
      $0.member("key", key.text)
      $0.array("addresses") { list in addresses.forEach { list.value($0.description) } }
      $0.array("peers") { list in peers.forEach { list.value($0.description) } }
      $0.member("tcp", PortText.text(of: tcpPorts))
      $0.member("udp", PortText.text(of: udpPorts))
      $0.member("seconds", max(1, Int(duration.seconds.rounded(.up))))
      $0.member("connect", admitsConnect)
    }
    return writer.utf8
  }

  /// Reads a line.
  ///
  /// - Throws: ``Problem`` where it is no JSON, or no assignment: a member that is not known is one
  ///   too many.
  package init(reading line: [UInt8]) throws(Problem) {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONDocument(reading: line).value
    } catch {
      throw Problem("the assignment is no JSON: \(error) (column \(error.column))")
    }
    guard let members = value.members else { throw Problem("an assignment is an object") }
    var seen: Set<String> = []
    for (name, _) in members {
      guard Self.names.contains(name) else {
        throw Problem("an assignment has no member '\(name.prefix(64))'")
      }
      guard seen.insert(name).inserted else { throw Problem("'\(name)' is there twice") }
    }
    guard value["schema"]?.string == Self.schema else {
      throw Problem("'schema' must be \"\(Self.schema)\"")
    }
    guard let text = value["key"]?.string, let key = RunKey(text: text) else {
      throw Problem("'key' must be 64 hexadecimal digits")
    }
    guard let seconds = value["seconds"]?.integer, Limit.seconds ~= seconds else {
      throw Problem(
        "'seconds' must be a whole number from \(Limit.seconds.lowerBound) to "
          + "\(Limit.seconds.upperBound)")
    }
    var connect = false
    if let member = value["connect"] {
      guard let flag = member.boolean else { throw Problem("'connect' must be true or false") }
      connect = flag
    }
    let addresses = try Self.addresses(value["addresses"], "addresses", limit: Limit.addresses)
    guard !addresses.isEmpty else { throw Problem("'addresses' must name one at least") }
    self.init(
      key: key, addresses: addresses,
      peers: try Self.addresses(value["peers"], "peers", limit: Limit.peers),
      tcpPorts: try Self.ports(value["tcp"], "tcp"), udpPorts: try Self.ports(value["udp"], "udp"),
      duration: .seconds(seconds), admitsConnect: connect)
  }

  private static let names: Set<String> = [
    "schema", "key", "addresses", "peers", "tcp", "udp", "seconds", "connect",
  ]

  private static func addresses(
    _ value: JSONValue?, _ name: String, limit: Int
  ) throws(Problem) -> [IPAddress] {
    guard let list = value?.array else { throw Problem("'\(name)' must be a list of addresses") }
    guard list.count <= limit else {
      throw Problem("'\(name)' has \(list.count) entries, and at most \(limit) are taken")
    }
    var seen: Set<IPAddress> = []
    var addresses: [IPAddress] = []
    for entry in list {
      guard let text = entry.string, let address = IPAddress(text) else {
        throw Problem("'\(name)' must be a list of addresses of IPv4 or IPv6")
      }
      if seen.insert(address).inserted { addresses.append(address) }
    }
    return addresses
  }

  private static func ports(_ value: JSONValue?, _ name: String) throws(Problem) -> IntervalSet {
    guard let text = value?.string, let ports = PortText.ports(in: text) else {
      throw Problem("'\(name)' must be ports from 1 to 65535: \"22,80,1000-2000\"")
    }
    return ports
  }
}

extension RunKey {
  /// 64 hexadecimal digits.
  package var text: String {
    octets.map { octet in
      let digits = String(octet, radix: 16)
      return octet < 16 ? "0" + digits : digits
    }.joined()
  }

  /// - Parameter text: 64 hexadecimal digits; nil for everything else.
  package init?(text: some StringProtocol) {
    let digits = Array(text.utf8)
    guard digits.count == 2 * Self.byteCount else { return nil }
    var octets: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1])
      else { return nil }
      octets.append(high << 4 | low)
    }
    self.init(octets: octets)
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
