import Glibc
import LinuxKernel
import Testing

@Suite("The kernel's list of sockets")
struct SocketTableTests {
  /// A TCP or UDP socket that is bound to a port of the loopback.
  private func bound(_ type: __socket_type) throws -> (socket: CInt, address: SocketAddress) {
    let raw = socket(AF_INET, CInt(type.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = unsafe withUnsafeMutablePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe bind(raw, address, size) == 0 && getsockname(raw, address, &size) == 0
      }
    }
    try #require(status)
    return (
      raw,
      SocketAddress(isIPv6: false, number: 0x7F00_0001, port: UInt16(bigEndian: place.sin_port))
    )
  }

  @Test func `a TCP socket is in it as a listener once it listens`() throws {
    let (raw, address) = try bound(SOCK_STREAM)
    defer { close(raw) }
    #expect(try !SocketTable.entries(in: .listening).map(\.local).contains(address))
    try #require(listen(raw, 1) == 0)
    #expect(try SocketTable.entries(in: .listening).map(\.local).contains(address))
    #expect(try !SocketTable.entries(in: .halfOpen).map(\.local).contains(address))
  }

  @Test func `a UDP socket is in it as one that all may send to`() throws {
    let (raw, address) = try bound(SOCK_DGRAM)
    defer { close(raw) }
    let entry = try #require(
      try SocketTable.entries(in: .unconnected).first { $0.local == address })
    #expect(entry.remote.port == 0)
  }
}
