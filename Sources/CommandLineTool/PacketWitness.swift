internal import Addresses
internal import Proof
internal import Rulesets
internal import Simulation

/// A packet line as a packet that can be put to the kernel.
enum PacketWitness {
  /// Why it cannot.
  struct Obstacle: Error {
    var reason: String
  }

  /// Reads a packet as `simulate` does.
  ///
  /// A packet that names a hook is asked on its whole way across a host where it meets that hook.
  ///
  /// - Parameter line: The packet as JSON.
  /// - Returns: The packet.
  /// - Throws: ``Obstacle`` where the line says something that no packet brings about by itself.
  static func packet(reading line: String) throws(Obstacle) -> WitnessPacket {
    let question: PacketQuestion
    do throws(SimulationInputError) {
      question = try PacketQuestion(reading: Array(line.utf8))
    } catch {
      throw Obstacle(reason: error.description)
    }
    let packet: Packet
    switch question.content {
    case .malformed(let why): throw Obstacle(reason: "a receiver throws it away: \(why)")
    case .packet(let read): packet = read
    }
    guard packet.mark == 0 else {
      throw Obstacle(reason: "no packet has the mark \(packet.mark) by itself")
    }
    guard packet.frame?.vlan == nil, packet.frame?.destination == nil else {
      throw Obstacle(reason: "no packet was made with its frame")
    }
    let connection: WitnessPacket.Connection =
      switch packet.state {
      case nil, .new: .none
      case .established: .established(opening: packet.bytes)
      case .invalid, .related, .untracked: .claimed(packet.state?.rawValue ?? "")
      }
    let kind: Hop.Kind =
      if question.isLocal {
        .outbound
      } else if question.hook == .forward || question.hook == .postrouting {
        .through
      } else {
        .inbound
      }
    return WitnessPacket(
      phase: .first, firewall: 0, kind: kind,
      input: question.isLocal ? nil : packet.input.name ?? InterfaceName("eth0"),
      output: kind == .inbound
        ? nil : packet.output.name ?? InterfaceName(kind == .through ? "eth1" : "eth0"),
      bytes: packet.bytes, frameSource: packet.frame?.source, connection: connection)
  }
}

extension Packet.Device {
  /// The device's name, where there is one and it is known.
  fileprivate var name: InterfaceName? {
    switch self {
    case .named(let name, _): name
    case .absent, .unknown: nil
    }
  }
}
