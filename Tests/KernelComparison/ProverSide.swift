import Addresses
import Proof
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Wire

/// Questions of one packet at one hook, for the prover and, beside it, the simulator.
struct ProverSide: ~Copyable {
  struct Question {
    var point: PointQuestion
    var simulated: PacketVerdict
    /// Whether the packet meets this hook before any other, as it came.
    var isFirst: Bool
    /// The state that the kernel gives a packet of no connection; nil where that takes more than a
    /// look at its header.
    var kernelState: UInt128?
  }

  private var simulator: Simulator
  private var walk: RulesetWalk
  private var register = DimensionRegister()
  private let hooks: [Hook]
  /// Whether the kernel's connection table is empty.
  var knowsNoConnection = true

  init(_ ruleset: Ruleset) {
    simulator = Simulator(Program(ruleset))
    // A proof holds for every time, so what packets did to sets before is not known to either.
    simulator.doubtState()
    walk = RulesetWalk(ruleset)
    var hooks: Set<Hook> = []
    for table in ruleset.tables {
      for chain in table.chains {
        if let base = chain.base { hooks.insert(base.hook) }
      }
    }
    self.hooks = hooks.filter { $0 != .egress }.sorted {
      $0.rawValue < $1.rawValue
    }
  }

  mutating func fate(of question: Question) -> Leaf.Fate {
    walk.fate(of: question.point, &register).fate
  }

  mutating func questions(
    about packet: SandboxPacket, _ number: Int, _ host: Simulation.Host
  ) -> [Question] {
    guard let layout = try? PacketLayout(reading: packet.bytes), !layout.isFragment,
      layout.transportOffset == (layout.isIPv4 ? 20 : 40),
      layout.byteCount == packet.bytes.count, let transport = layout.transport,
      isWhole(transport, packet.bytes, layout),
      // The prover's packets still have hops to go.
      packet.bytes[layout.isIPv4 ? 8 : 7] > 0
    else { return [] }
    var random = SeededGenerator(seed: UInt64(number))
    let first: Hook
    switch packet.origin {
    case .received: first = .prerouting
    case .local: first = .output
    }
    let fresh = freshState(transport, packet.bytes, layout)
    var questions: [Question] = []
    for hook in hooks where hook == first || Bool.random(using: &random) {
      let state = hook == first ? fresh ?? state(&random) : state(&random)
      let isIncoming =
        hook == .ingress || hook == .prerouting || hook == .input || hook == .forward
      var input: InterfaceName?
      var frame: Packet.Frame?
      if case .received(let name, let received) = packet.origin, isIncoming {
        input = name
        frame = received
      } else if isIncoming {
        continue
      }
      // Where the packet goes out is the route's matter, which the first hook of a packet that is
      // sent from here knows already; here any will do.
      let hasOutput = hook == .forward || hook == .output || hook == .postrouting
      let output =
        hasOutput ? host.interfaces.randomElement(using: &random).map(\.name) : nil
      var ethernet: (destination: MACAddress, source: MACAddress)?
      if let frame, let source = frame.source,
        let own = frame.destination ?? input.flatMap({ host.interface($0)?.hardwareAddress })
      {
        ethernet = (own, source)
        // A tag, or a frame to others, changes what a packet's metadata say.
        guard frame.vlan == nil, frame.destination == nil else { continue }
      }
      guard
        let whole = try? Packet(
          bytes: packet.bytes, input: input.map { host.device($0) } ?? .absent,
          output: output.map { host.device($0) } ?? .absent,
          frame: frame.map { Packet.Frame(source: $0.source, destination: ethernet?.destination) },
          state: state)
      else { continue }
      let simulated = simulator.answer(at: hook, whole)
      questions.append(
        Question(
          point: PointQuestion(
            family: layout.family, hook: hook, bytes: packet.bytes, inputName: input,
            outputName: output, connectionState: UInt128(state.bit), ethernet: ethernet),
          simulated: simulated.verdict,
          isFirst: hook == first && hook == .prerouting && knowsNoConnection,
          kernelState: fresh.map { UInt128($0.bit) }))
    }
    return questions
  }

  private func state(_ random: inout SeededGenerator) -> Packet.State {
    // Not untracked: before tracking has looked, that is a matter of what rules did.
    let states: [Packet.State] = [.new, .new, .established, .related, .invalid]
    return states.randomElement(using: &random) ?? .new
  }

  private func isWhole(_ transport: UInt8, _ bytes: [UInt8], _ layout: PacketLayout) -> Bool {
    let count = layout.byteCount - layout.transportOffset
    return switch transport {
    // The prover's questions have no options.
    case 6: count >= 20 && bytes[layout.transportOffset + 12] >> 4 == 5
    case 17, 136: count >= 8
    case 1, 58: count >= 8
    case 132: count >= 12
    case 51: count >= 12
    case 50: count >= 8
    default: count >= 20
    }
  }

  private func freshState(
    _ transport: UInt8, _ bytes: [UInt8], _ layout: PacketLayout
  ) -> Packet.State? {
    let start = layout.transportOffset
    switch (transport, layout.isIPv4) {
    case (6, _):
      guard bytes[start + 12] == 0x50,
        layout.isChecksumValid(of: .tcp, from: start, in: bytes)
      else { return nil }
      switch bytes[start + 13] {
      case 0x02, 0x10: return .new
      case 0x04, 0x12: return .invalid
      default: return nil
      }
    case (17, _):
      guard Int(bytes[start + 4]) << 8 | Int(bytes[start + 5]) == layout.byteCount - start,
        bytes[start + 6] | bytes[start + 7] != 0,
        layout.isChecksumValid(of: .udp, from: start, in: bytes)
      else { return nil }
      return .new
    case (1, true):
      guard layout.isChecksumValid(of: .icmp, from: start, in: bytes) else { return nil }
      return bytes[start] == 8 ? .new : bytes[start] == 0 ? .invalid : nil
    case (58, false):
      guard layout.isChecksumValid(of: .icmpv6, from: start, in: bytes) else { return nil }
      return bytes[start] == 128 ? .new : bytes[start] == 129 ? .invalid : nil
    default: return nil
    }
  }
}
