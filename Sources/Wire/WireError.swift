/// Why bytes are not the header they were read as.
package enum WireError: Error, Hashable, Sendable {
  /// The bytes end before the header does.
  case truncated(header: String, offset: Int, needed: Int, available: Int)
  /// A length field contradicts the header's own minimum or what encloses it.
  case badLength(header: String, offset: Int, length: Int)
  /// The version field is not this header's.
  case badVersion(header: String, offset: Int, version: UInt8)
}

extension WireError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .truncated(let header, let offset, let needed, let available):
      "\(header) at byte \(offset) needs \(needed) bytes, \(available) are left"
    case .badLength(let header, let offset, let length):
      "\(header) at byte \(offset) has the impossible length \(length)"
    case .badVersion(let header, let offset, let version):
      "\(header) at byte \(offset) has version \(version)"
    }
  }
}
