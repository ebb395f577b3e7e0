/// The numbers from `lower` to `upper`, both included.
///
/// Addresses, ports, marks and interface names are all numbers of at most 128 bits here, so that
/// one type serves for every field of a packet.
package struct Interval: Hashable, Sendable {
  package var lower: UInt128
  package var upper: UInt128

  /// - Precondition: `lower` is not above `upper`.
  @inlinable
  package init(_ lower: UInt128, _ upper: UInt128) {
    precondition(lower <= upper, "an interval's lower bound is not above its upper bound")
    self.lower = lower
    self.upper = upper
  }

  /// The interval that holds one number.
  @inlinable
  package init(_ value: UInt128) {
    lower = value
    upper = value
  }

  @inlinable
  package func contains(_ value: UInt128) -> Bool { lower <= value && value <= upper }

  @inlinable
  package func overlaps(_ other: Interval) -> Bool {
    lower <= other.upper && other.lower <= upper
  }

  /// How many numbers there are, less one (so that the full 128 bits fit).
  package var span: UInt128 { upper - lower }
}
