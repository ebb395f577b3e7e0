/// Sockets of this thread's network namespace, as the kernel lists them.
///
/// Source: Documentation/networking/proc_net_tcp.rst; states of include/net/tcp_states.h.
package enum SocketTable {
  /// Which sockets are meant.
  package enum State: UInt8, Sendable {
    /// TCP: a SYN was answered, and the opener's ACK is waited for (TCP_SYN_RECV).
    case halfOpen = 3
    /// UDP: anybody may send to it (TCP_CLOSE).
    case unconnected = 7
    /// TCP: it waits for connections (TCP_LISTEN).
    case listening = 10

    fileprivate var lists: [String] {
      switch self {
      case .halfOpen, .listening: ["tcp", "tcp6"]
      case .unconnected: ["udp", "udp6"]
      }
    }
  }

  package struct Entry: Hashable, Sendable {
    package var local: SocketAddress
    /// Number and port are 0 where there is none.
    package var remote: SocketAddress
  }

  /// The sockets of both families that are in a state.
  ///
  /// - Throws: What reading the lists failed with.
  package static func entries(in state: State) throws(Errno) -> [Entry] {
    var entries: [Entry] = []
    for list in state.lists {
      let bytes: [UInt8]
      do throws(Errno) {
        bytes = try Files.read("/proc/thread-self/net/\(list)", limit: 1 << 28)
      } catch {
        // A kernel without IPv6 has no such list.
        if list.hasSuffix("6"), error == .noSuchFile { continue }
        throw error
      }
      // There may be many thousands, most of them in another state.
      for line in bytes.split(separator: UInt8(ascii: "\n")).dropFirst() {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 4)
        guard words.count > 4, number(words[3]) == UInt64(state.rawValue),
          let local = address(words[1]), let remote = address(words[2])
        else { continue }
        entries.append(Entry(local: local, remote: remote))
      }
    }
    return entries
  }

  /// `0100007F:0016`: words of 32 bits in this machine's byte order, and the port.
  private static func address(_ text: ArraySlice<UInt8>) -> SocketAddress? {
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
      let port = number(text[(colon + 1)...])
    else { return nil }
    var address: UInt128 = 0
    var digits = text[..<colon]
    let isIPv6 = digits.count == 32
    guard isIPv6 || digits.count == 8 else { return nil }
    while !digits.isEmpty {
      guard let word = number(digits.prefix(8)) else { return nil }
      address = address << 32 | UInt128(UInt32(bigEndian: UInt32(word)))
      digits = digits.dropFirst(8)
    }
    return SocketAddress(
      isIPv6: isIPv6, number: address, port: UInt16(truncatingIfNeeded: port))
  }

  /// At most eight hexadecimal digits.
  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard 1...8 ~= digits.count else { return nil }
    var number: UInt64 = 0
    for digit in digits {
      guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
      number = number << 4 | UInt64(value)
    }
    return number
  }
}
