/// A set of addresses of both families.
package struct AddressSet: Hashable, Sendable {
  package var ipv4: IntervalSet
  package var ipv6: IntervalSet

  package static let empty = AddressSet(ipv4: .empty, ipv6: .empty)
  package static let any = AddressSet(
    ipv4: IntervalSet(bitWidth: 32), ipv6: IntervalSet(bitWidth: 128))

  package init(ipv4: IntervalSet, ipv6: IntervalSet) {
    self.ipv4 = ipv4
    self.ipv6 = ipv6
  }

  package init(_ address: IPAddress) {
    self.init(address.family, IntervalSet(address.rawValue))
  }

  package init(_ prefix: IPPrefix) { self.init(prefix.family, IntervalSet(prefix.interval)) }

  /// Addresses of one family, as numbers.
  package init(_ family: IPFamily, _ numbers: IntervalSet) {
    ipv4 = family == .ipv4 ? numbers : .empty
    ipv6 = family == .ipv6 ? numbers : .empty
  }

  package subscript(family: IPFamily) -> IntervalSet {
    family == .ipv4 ? ipv4 : ipv6
  }

  package var isEmpty: Bool { ipv4.isEmpty && ipv6.isEmpty }

  package func union(_ other: AddressSet) -> AddressSet {
    AddressSet(ipv4: ipv4.union(other.ipv4), ipv6: ipv6.union(other.ipv6))
  }

  package func intersection(_ other: AddressSet) -> AddressSet {
    AddressSet(ipv4: ipv4.intersection(other.ipv4), ipv6: ipv6.intersection(other.ipv6))
  }

  package func subtracting(_ other: AddressSet) -> AddressSet {
    AddressSet(ipv4: ipv4.subtracting(other.ipv4), ipv6: ipv6.subtracting(other.ipv6))
  }

  package func contains(_ address: IPAddress) -> Bool {
    self[address.family].contains(address.rawValue)
  }

  package func isSubset(of other: AddressSet) -> Bool { subtracting(other).isEmpty }
}
