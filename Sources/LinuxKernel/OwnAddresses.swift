internal import CLinuxShims

/// An address of one of this machine's interfaces.
package struct OwnAddress: Hashable, Sendable {
  package var isIPv6: Bool
  /// The address as a number, its first octet most significant.
  package var number: UInt128

  /// The addresses of all interfaces but the loopback, each once.
  ///
  /// - Returns: The addresses, in the order of the interfaces.
  /// - Throws: What the kernel refused.
  package static func all() throws(Errno) -> [OwnAddress] {
    var capacity: CInt = 64
    while true {
      var raw = [portproof_address](repeating: portproof_address(), count: Int(capacity))
      var count: CInt = 0
      let status = unsafe portproof_own_addresses(&raw, capacity, &count)
      guard status == 0 else { throw Errno(rawValue: status) }
      if count > capacity {
        capacity = count
        continue
      }
      var seen: Set<OwnAddress> = []
      return raw.prefix(Int(count)).map(OwnAddress.init).filter { seen.insert($0).inserted }
    }
  }

  private init(_ raw: portproof_address) {
    isIPv6 = raw.is_ipv6 != 0
    var octets = raw.octets
    let width = isIPv6 ? 16 : 4
    number = unsafe withUnsafeBytes(of: &octets) { bytes in
      unsafe bytes.prefix(width).reduce(0) { $0 << 8 | UInt128($1) }
    }
  }
}
