import Addresses
import Sandbox

extension PacketGenerator {
  /// What a packet of a connection that others began has to look like.
  struct Followed {
    var source: IPAddress
    var destination: IPAddress
    var transport: UInt8
    /// The ports that are to be written next: the packet's, or those of the packet that it quotes.
    var ports: [UInt16] = []
    /// The type and identifier of an echo.
    var echo: (type: UInt8, identifier: UInt16)?
    /// The packet that an ICMP error is about.
    var quoted: (source: IPAddress, destination: IPAddress, transport: UInt8)?
  }

  /// A packet of one of the connections, or an error about one; nil for any other.
  mutating func follow() -> Followed? {
    guard !flows.isEmpty, draw.chance(50) else { return nil }
    let flow = draw.pick(flows).original
    let isReply = draw.chance(50)
    let (source, destination) =
      isReply ? (flow.destination, flow.source) : (flow.source, flow.destination)
    switch flow.transport {
    case .ports(let number, let first, let second):
      let ports = isReply ? [second, first] : [first, second]
      guard draw.chance(18) else {
        return Followed(
          source: source, destination: destination, transport: number, ports: ports)
      }
      return Followed(
        source: draw.chance(60) ? destination : address(source.family), destination: source,
        transport: source.family == .ipv4 ? 1 : 58, ports: ports,
        quoted: (source, destination, number))
    case .echo(let type, _, let identifier):
      let answer: UInt8 = type == 8 ? 0 : 129
      return Followed(
        source: source, destination: destination, transport: source.family == .ipv4 ? 1 : 58,
        echo: (isReply ? answer : type, identifier))
    case .other(let number):
      return Followed(source: source, destination: destination, transport: number)
    }
  }

  /// Whether a packet of a connection is sent from here.
  mutating func isSentFromHere(_ followed: Followed) -> Bool {
    let own = HostSamples.ipv4 + HostSamples.ipv6
    return own.contains { HostSamples.address($0) == followed.source } && draw.chance(70)
  }
}
