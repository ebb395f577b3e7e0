/// What a datagram or an echo request of a run carries, and what its answer does.
///
/// 32 octets, numbers in network order: the run's prefix (4), the probe's number (4), the
/// transmission's (2), zero (6), and the first 16 octets of the HMAC of a word for the direction
/// and the 16 octets before. Addresses and ports are not in it: a translation on the way may
/// change them.
package struct Token: Hashable, Sendable {
  /// The probe's index in its run.
  package var probe: UInt32
  /// From 0.
  package var transmission: UInt16

  package static let byteCount = 32

  package enum Direction: String, Sendable {
    case request
    case reply
  }

  package init(probe: UInt32, transmission: UInt16) {
    self.probe = probe
    self.transmission = transmission
  }

  /// The octets, under a run's key.
  package func octets(_ direction: Direction, _ key: RunKey) -> [UInt8] {
    var octets: [UInt8] = []
    octets.reserveCapacity(Self.byteCount)
    for shift in stride(from: 24, through: 0, by: -8) {
      octets.append(UInt8(truncatingIfNeeded: key.payloadPrefix >> UInt32(shift)))
    }
    for shift in stride(from: 24, through: 0, by: -8) {
      octets.append(UInt8(truncatingIfNeeded: probe >> UInt32(shift)))
    }
    octets.append(UInt8(truncatingIfNeeded: transmission >> 8))
    octets.append(UInt8(truncatingIfNeeded: transmission))
    octets += repeatElement(0, count: 6)
    return octets + Self.code(of: octets, direction, key)
  }

  /// Reads a payload.
  ///
  /// - Returns: nil where it is not of this run or not of this direction.
  package init?(reading payload: ArraySlice<UInt8>, _ direction: Direction, _ key: RunKey) {
    guard payload.count >= Self.byteCount else { return nil }
    let head = Array(payload.prefix(16))
    func word(at offset: Int) -> UInt32 {
      head[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
    guard word(at: 0) == key.payloadPrefix else { return nil }
    let wanted = Self.code(of: head, direction, key)
    // Every octet is looked at, so that the time taken does not tell where they differ.
    let difference = zip(payload.dropFirst(16).prefix(16), wanted).reduce(0 as UInt8) {
      $0 | ($1.0 ^ $1.1)
    }
    guard difference == 0 else { return nil }
    probe = word(at: 4)
    transmission = UInt16(truncatingIfNeeded: word(at: 8) >> 16)
  }

  private static func code(
    of head: [UInt8], _ direction: Direction, _ key: RunKey
  ) -> ArraySlice<UInt8> {
    key.code(Array(direction.rawValue.utf8) + head).prefix(16)
  }
}
