internal import Addresses

/// Finds the probe that a packet belongs to.
struct FlowIndex {
  /// What a probe's packets have in common, seen from this machine.
  enum Transport: UInt64 {
    case tcp = 6
    case udp = 17
    case icmp = 1
  }

  private var pairs = AddressPairs()
  private var probes: [UInt64: Int32] = [:]

  init(capacity: Int) { probes.reserveCapacity(capacity) }

  private static func key(
    _ pair: UInt64, _ transport: Transport, _ localPort: UInt16, _ remotePort: UInt16
  ) -> UInt64 {
    pair << 40 | transport.rawValue << 32 | UInt64(localPort) << 16 | UInt64(remotePort)
  }

  /// Remembers a probe's packets, unless another's look the same; of ICMP the local port is the
  /// identifier and the remote port the sequence number.
  mutating func insert(
    _ probe: Int, _ transport: Transport, local: IPAddress, _ localPort: UInt16,
    remote: IPAddress, _ remotePort: UInt16
  ) {
    let number = pairs.number(local, remote)
    let key = Self.key(number, transport, localPort, remotePort)
    if probes[key] == nil { probes[key] = Int32(probe) }
  }

  mutating func probe(
    _ transport: Transport, local: IPAddress, _ localPort: UInt16, remote: IPAddress,
    _ remotePort: UInt16
  ) -> Int? {
    guard let number = pairs.known(local, remote) else { return nil }
    return probes[Self.key(number, transport, localPort, remotePort)].map { Int($0) }
  }
}

/// Numbers for pairs of addresses, from 0.
struct AddressPairs {
  private struct Pair: Hashable {
    var local: IPAddress
    var remote: IPAddress
  }

  private var numbers: [Pair: UInt64] = [:]
  /// The pair that was asked for last: packets come in rows.
  private var last: (pair: Pair, number: UInt64)?

  /// The number of a pair; a new one where it has none.
  mutating func number(_ local: IPAddress, _ remote: IPAddress) -> UInt64 {
    if let known = known(local, remote) { return known }
    let number = UInt64(numbers.count)
    numbers[Pair(local: local, remote: remote)] = number
    return number
  }

  /// The number of a pair that has one.
  mutating func known(_ local: IPAddress, _ remote: IPAddress) -> UInt64? {
    let pair = Pair(local: local, remote: remote)
    if let last, last.pair == pair { return last.number }
    guard let number = numbers[pair] else { return nil }
    last = (pair, number)
    return number
  }
}
