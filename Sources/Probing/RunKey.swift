internal import CNettle

/// The secret that the two ends of a run share, and what is made from it.
///
/// Everything is HMAC-SHA-256 (RFC 2104, FIPS 180-4) under the key over a word that says what it
/// is for, so that no value tells anything about another.
package struct RunKey: Hashable, Sendable {
  /// 32 octets.
  package let octets: [UInt8]

  package static let byteCount = 32

  /// - Parameter octets: ``byteCount`` octets that nobody else knows; nil for any other number.
  package init?(octets: [UInt8]) {
    guard octets.count == Self.byteCount else { return nil }
    self.octets = octets
  }

  /// A key that nobody has had before.
  package static func fresh() -> RunKey {
    var generator = SystemRandomNumberGenerator()
    let octets = (0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    guard let key = RunKey(octets: octets) else { preconditionFailure("32 octets make a key") }
    return key
  }

  /// The initial sequence number of every raw SYN of the run, and what tells them from others'.
  package var initialSequenceNumber: UInt32 { word("tcp initial sequence number") }

  /// What the payload of every datagram and echo request of the run begins with, in network order.
  package var payloadPrefix: UInt32 { word("payload prefix") }

  /// The maximum segment size, in octets, that a SYN of `connect(2)` announces in the run.
  ///
  /// The sequence number is not the sender's to choose there. The value is small enough that no
  /// router on the way lowers it.
  package var maximumSegmentSize: UInt16 {
    600 + UInt16(word("tcp maximum segment size") % 500)
  }

  private func word(_ purpose: String) -> UInt32 {
    code(Array(purpose.utf8)).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// The HMAC-SHA-256 of a message.
  ///
  /// - Returns: 32 octets.
  package func code(_ message: [UInt8]) -> [UInt8] {
    var context = hmac_sha256_ctx()
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
    unsafe nettle_hmac_sha256_set_key(&context, octets.count, octets)
    unsafe nettle_hmac_sha256_update(&context, message.count, message)
    unsafe nettle_hmac_sha256_digest(&context, digest.count, &digest)
    return digest
  }
}
