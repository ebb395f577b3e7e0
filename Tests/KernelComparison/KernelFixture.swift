import Addresses
import Diagnostics
package import Foundation
import NftablesFrontend
package import Rulesets
package import Sandbox
package import Simulation

/// A ruleset and packets, and what a kernel did with them: a case that was once disputed.
package struct KernelFixture: Codable, Sendable {
  package struct Packet: Codable, Sendable {
    /// The interface that it comes in by; nil for one that a program on the host sends.
    package var input: String?
    /// The Ethernet addresses of its frame, where they are not the sandbox's choice.
    package var source: String?
    package var destination: String?
    package var vlan: UInt16?
    /// From the IP header on.
    package var hex: String
    /// What the kernel did at each hook that the packet reached: `accept` or `drop`.
    package var hooks: [String: String]
  }

  /// What the case shows, in a line.
  package var why: String
  package var kernel: String
  /// nft commands, one a line.
  package var ruleset: [String]
  /// What nft lists of them.
  package var listing: String
  /// The text listing, where JSON leaves out what it tells; nil where there is none.
  package var text: String?
  /// The bytecode of the rules; nil where the case is about a listing alone.
  package var bytecode: String?
  /// As `simulate --host` reads it.
  package var host: String
  /// What others began before the packets came; nil for nothing.
  package var connections: [Connection]?
  package var packets: [Packet]

  /// Reads a fixture's file.
  package init(_ file: URL) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
  }

  package init(
    why: String, kernel: String, ruleset: String, listing: [UInt8], text: [UInt8]?,
    bytecode: [UInt8]?,
    host: Simulation.Host, connections: [SandboxConnection] = [], packets: [SandboxPacket],
    verdicts: [KernelVerdicts]
  ) {
    self.why = why
    self.kernel = kernel
    self.ruleset = ruleset.split(separator: "\n").map(String.init)
    self.listing = String(decoding: listing, as: UTF8.self)
    self.text = text.map { String(decoding: $0, as: UTF8.self) }
    self.bytecode = bytecode.map { String(decoding: $0, as: UTF8.self) }
    self.host = host.description
    self.connections = connections.isEmpty ? nil : connections.map { Connection($0) }
    self.packets = zip(packets, verdicts).map { packet, verdicts in
      var hooks: [String: String] = [:]
      for (hook, verdict) in verdicts { hooks[hook.rawValue] = verdict.rawValue }
      var written = Packet(hex: hexadecimal(packet.bytes), hooks: hooks)
      if case .received(let name, let frame) = packet.origin {
        written.input = name.description
        written.source = frame.source?.description
        written.destination = frame.destination?.description
        written.vlan = frame.vlan
      }
      return written
    }
  }

  /// The fixture as a file.
  package var file: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(self) + Data("\n".utf8)
    }
  }

  package var commands: [UInt8] { Array((ruleset.joined(separator: "\n") + "\n").utf8) }

  package var sandboxConnections: [SandboxConnection] {
    (connections ?? []).compactMap(\.sandboxConnection)
  }

  package var sandboxPackets: [SandboxPacket] {
    packets.map { packet in
      let bytes = octets(packet.hex)
      guard let name = packet.input.flatMap({ InterfaceName($0) }) else {
        return SandboxPacket(bytes: bytes, origin: .local)
      }
      let frame = Simulation.Packet.Frame(
        source: packet.source.flatMap { MACAddress($0) },
        destination: packet.destination.flatMap { MACAddress($0) }, vlan: packet.vlan)
      return SandboxPacket(bytes: bytes, origin: .received(name, frame))
    }
  }

  package var verdicts: [KernelVerdicts] {
    packets.map { packet in
      var verdicts: KernelVerdicts = [:]
      for (hook, verdict) in packet.hooks {
        guard let hook = Hook(rawValue: hook) else { continue }
        verdicts[hook] = HookVerdicts.Verdict(rawValue: verdict)
      }
      return verdicts
    }
  }

  /// What the kernel of this machine does with the packets.
  ///
  /// - Parameter executable: The tool that is the sandbox's child; nil for this one.
  /// - Returns: The verdicts of the hooks that each reached.
  /// - Throws: ``SandboxError`` where the kernel could not be asked, ``JSONError`` for the host.
  package func ask(executable: String? = nil) throws -> [KernelVerdicts] {
    let host = try Simulation.Host(reading: Array(host.utf8))
    var session = try SandboxSession(host: host, executable: executable)
    try session.load(commands)
    try session.add(sandboxConnections)
    return try session.verdicts(for: sandboxPackets).map(\.byHook)
  }

  /// The listing as the front-end reads it; nil where it refuses to.
  package var read: Ruleset? {
    var sources = SourceMap()
    return NftablesReader.read(
      Array(listing.utf8), name: "listing", sources: &sources,
      text: text.map { Array($0.utf8) }, bytecode: bytecode.map { Array($0.utf8) }
    ).ruleset
  }
}

extension Simulation.Host {
  /// The host as `simulate --host` reads it.
  fileprivate var description: String {
    let interfaces = interfaces.map { interface in
      let index = interface.index.map { #", "index": \#($0)"# } ?? ""
      let hardware = interface.hardwareAddress.map { #", "mac": "\#($0)""# } ?? ""
      let addresses = interface.addresses.map { #""\#($0.address)/\#($0.length)""# }
      return
        #"{"name": "\#(interface.name)"\#(index)\#(hardware), "addresses": [\#(addresses.joined(separator: ", "))]}"#
    }
    let routes = routes.map { route in
      let to = route.destination.map { "\($0.network)/\($0.length)" } ?? "default"
      return #"{"to": "\#(to)", "dev": "\#(route.device)"}"#
    }
    let accepts = acceptsLocal.map { #", "accept_local": \#($0)"# } ?? ""
    return
      #"{"interfaces": [\#(interfaces.joined(separator: ", "))], "routes": [\#(routes.joined(separator: ", "))], "forwarding": \#(isForwarding), "rp_filter": \#(reversePathFilter), "route_localnet": \#(routesLocalnet)\#(accepts)}"#
  }
}

/// Octets in hexadecimal.
package func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func octets(_ text: String) -> [UInt8] {
  let digits = text.compactMap { $0.hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map {
    UInt8(digits[$0] << 4 | digits[$0 + 1])
  }
}
