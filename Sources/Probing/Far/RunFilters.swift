internal import Addresses
internal import LinuxKernel

/// What the kernel lets through to the responder's sockets; for everything else it is as if nobody
/// were there, not even to refuse.
extension Assignment {
  /// A TCP header: SYNs of the run, what ends a connection, and of `connect(2)`, where it is
  /// admitted, what peers send.
  ///
  /// - Returns: nil where the peers are more than a filter can name.
  func listenerFilter(for family: IPFamily) -> SocketFilter? {
    var program: [SocketFilter.Instruction] = [
      .loadOctet(at: 13),
      // A reset ends what it belongs to, and is never answered.
      .ifAnyOf(0x04, skip: 0, otherwise: 1),
      .accept,
      .and(0x12),
    ]
    let synAlone: SocketFilter.Instruction = .ifEqual(0x02, skip: 0, otherwise: 3)
    let ofTheRun: [SocketFilter.Instruction] = [
      .loadWord(at: 4),
      .ifEqual(key.initialSequenceNumber, skip: 0, otherwise: 1),
      .accept,
    ]
    program.append(synAlone)
    program += ofTheRun
    guard admitsConnect else { return SocketFilter(program + [.drop]) }
    // A SYN that is not the run's announces its segment size as its first option, as Linux has it:
    // net/ipv4/tcp_output.c `tcp_options_write`. What is no SYN belongs to a connection.
    program += [
      .loadOctet(at: 13), .and(0x12),
      .ifEqual(0x02, skip: 0, otherwise: 3),
      .loadWord(at: 20),
      .ifEqual(0x0204_0000 | UInt32(key.maximumSegmentSize), skip: 1, otherwise: 0),
      .drop,
    ]
    if family == .ipv4 { program.append(.loadWord(at: SocketFilter.networkHeader &+ 12)) }
    for peer in peers where peer.family == family { program += Self.acceptance(of: peer) }
    program.append(.drop)
    return program.count <= SocketFilter.capacity ? SocketFilter(program) : nil
  }

  /// A UDP header: datagrams that begin as the run's do and have room for a token.
  var datagramFilter: SocketFilter {
    SocketFilter([
      .loadLength,
      .ifAtLeast(UInt32(8 + Token.byteCount), skip: 1, otherwise: 0),
      .drop,
      .loadWord(at: 8),
      .ifEqual(key.payloadPrefix, skip: 1, otherwise: 0),
      .drop,
      .accept,
    ])
  }

  /// Accepts packets from a peer; of an IPv4 packet, its source is what was loaded last.
  private static func acceptance(of peer: IPAddress) -> [SocketFilter.Instruction] {
    switch peer {
    case .ipv4(let address):
      return [.ifEqual(address.rawValue, skip: 0, otherwise: 1), .accept]
    case .ipv6(let address):
      var program: [SocketFilter.Instruction] = []
      for index in 0..<4 as Range<UInt32> {
        let word = UInt32(truncatingIfNeeded: address.rawValue >> UInt128(96 - 32 * index))
        // What is left of this peer: two instructions for each word to come, and the last.
        let rest = UInt8(2 * (3 - index) + 1)
        program.append(.loadWord(at: SocketFilter.networkHeader &+ 8 + 4 * index))
        program.append(.ifEqual(word, skip: 0, otherwise: rest))
      }
      return program + [.accept]
    }
  }
}
