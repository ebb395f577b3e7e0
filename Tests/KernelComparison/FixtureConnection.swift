import Addresses
package import Sandbox
package import Simulation

extension KernelFixture {
  /// A connection that was there before the packets, and is not translated.
  package struct Connection: Codable, Sendable {
    package var source: String
    package var destination: String
    package var transport: UInt8
    /// The opener's port, or the identifier of an echo.
    package var sourcePort: UInt16
    /// The other port, or the type of an echo's question.
    package var destinationPort: UInt16
    package var isAnswered: Bool
    package var mark: UInt32
  }
}

extension KernelFixture.Connection {
  package init(_ connection: SandboxConnection) {
    let earlier = connection.earlier
    source = earlier.source.description
    destination = earlier.destination.description
    transport = earlier.transport
    sourcePort = earlier.sourcePort
    destinationPort = connection.isEcho ? earlier.destinationPort >> 8 : earlier.destinationPort
    isAnswered = earlier.isAnswered
    mark = earlier.mark
  }

  /// The connection as the sandbox makes it; nil where its addresses are none.
  package var sandboxConnection: SandboxConnection? {
    guard let source = IPAddress(source), let destination = IPAddress(destination) else {
      return nil
    }
    let ends: SandboxConnection.Transport =
      switch transport {
      case 1, 58:
        .echo(type: UInt8(truncatingIfNeeded: destinationPort), code: 0, identifier: sourcePort)
      case 6, 17: .ports(protocol: transport, source: sourcePort, destination: destinationPort)
      default: .other(protocol: transport)
      }
    let tuple = SandboxConnection.Tuple(from: source, to: destination, ends)
    // What is translated to itself is done with translation, as on a host.
    return SandboxConnection(
      original: tuple, translated: tuple, isAnswered: isAnswered, mark: mark)
  }
}

extension SandboxConnection {
  var isEcho: Bool {
    if case .echo = original.transport { true } else { false }
  }

  /// The connection as the simulator knows it.
  package var earlier: EarlierConnection {
    let (number, sourcePort, destinationPort): (UInt8, UInt16, UInt16) =
      switch original.transport {
      case .ports(let number, let source, let destination): (number, source, destination)
      case .echo(let type, let code, let identifier):
        (
          original.source.family == .ipv4 ? 1 : 58, identifier,
          UInt16(type) << 8 | UInt16(code)
        )
      case .other(let number): (number, 0, 0)
      }
    return EarlierConnection(
      from: original.source, to: original.destination, transport: number, sourcePort: sourcePort,
      destinationPort: destinationPort, isAnswered: isAnswered, mark: mark)
  }
}
