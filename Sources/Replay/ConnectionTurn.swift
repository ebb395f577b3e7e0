internal import Addresses
internal import Proof
internal import Sandbox

/// Packets that one connection table can serve, and the entries that it needs.
struct ConnectionTurn {
  private(set) var members: [Int] = []
  private(set) var entries: [SandboxConnection] = []
  private var isTaken = false

  /// Divides packets so that no two of a turn see one connection from different ends, and that
  /// those which need fresh state have a turn of their own.
  ///
  /// - Parameters:
  ///   - packets: The packets.
  ///   - fresh: The places of those before which no other may have come.
  /// - Returns: The turns; one, as a rule.
  static func turns(
    of packets: [WitnessPacket], needingFreshState fresh: Set<Int>
  ) -> [ConnectionTurn] {
    var turns: [ConnectionTurn] = []
    for (index, packet) in packets.enumerated() {
      let entry = SandboxConnection(packet)
      let isAlone = fresh.contains(index)
      var isTaken = false
      for place in turns.indices where !isTaken && !isAlone && !turns[place].isTaken {
        isTaken = turns[place].take(index, entry)
      }
      guard !isTaken else { continue }
      var turn = ConnectionTurn()
      _ = turn.take(index, entry)
      turn.isTaken = isAlone
      turns.append(turn)
    }
    return turns
  }

  private mutating func take(_ index: Int, _ entry: SandboxConnection?) -> Bool {
    if let entry {
      let reversed = entry.original.reversed
      if entries.contains(where: { $0.original == reversed && $0.original != entry.original }) {
        return false
      }
      if !entries.contains(entry) { entries.append(entry) }
    }
    members.append(index)
    return true
  }
}

extension SandboxConnection {
  /// The entry of the connection that a packet belongs to; nil where there is none, or where none
  /// can be made.
  init?(_ packet: WitnessPacket) {
    guard case .established(let opening) = packet.connection else { return nil }
    let first = WitnessPacket(
      phase: .first, firewall: packet.firewall, kind: packet.kind, input: nil, output: nil,
      bytes: opening, connection: .none)
    let (source, destination) = first.ends
    let start = first.family == .ipv4 ? 20 : 40
    guard opening.count >= start + 8 else { return nil }
    let transport = TransportProtocol(rawValue: opening[first.family == .ipv4 ? 9 : 6])
    func word(_ offset: Int) -> UInt16 {
      UInt16(opening[start + offset]) << 8 | UInt16(opening[start + offset + 1])
    }
    switch (transport, first.family) {
    case (.tcp, _), (.udp, _):
      self.init(
        original: Tuple(
          from: source, to: destination,
          .ports(protocol: transport.rawValue, source: word(0), destination: word(2))))
    case (.icmp, .ipv4), (.icmpv6, .ipv6):
      guard opening[start] == (first.family == .ipv4 ? 8 : 128) else { return nil }
      self.init(
        original: Tuple(
          from: source, to: destination,
          .echo(type: opening[start], code: opening[start + 1], identifier: word(4))))
    default: return nil
    }
  }
}

extension SandboxConnection.Tuple {
  /// The other direction, as long as nothing is translated.
  fileprivate var reversed: Self {
    let turned: SandboxConnection.Transport =
      switch transport {
      case .ports(let number, let source, let destination):
        .ports(protocol: number, source: destination, destination: source)
      case .echo, .other: transport
      }
    return Self(from: destination, to: source, turned)
  }
}
