/// The ports from `lower` to `upper`, both included, as a configuration names them.
///
/// `lower` may be above `upper`: Talos reads such a range and refuses it later.
package struct PortRange: Hashable, Sendable {
  package var lower: UInt16
  package var upper: UInt16

  package init(_ lower: UInt16, _ upper: UInt16) {
    self.lower = lower
    self.upper = upper
  }

  package init(_ port: UInt16) { self.init(port, port) }
}

extension PortRange: CustomStringConvertible {
  /// `lower-upper`, for single ports too, as Talos' messages have it.
  package var description: String { "\(lower)-\(upper)" }
}

extension PortRange {
  /// The range as documents write it: `443`, `2379-2380`.
  package var text: String { lower == upper ? "\(lower)" : "\(self)" }
}
