internal import CLinuxShims

/// A program that the kernel runs over each packet before it gives it to a socket.
///
/// Offset 0 is where the transport header begins; ``networkHeader`` and what follows it, where the
/// IP header does. Loads are in network order. A packet that is too short for a load is dropped.
///
/// Source: Documentation/networking/filter.rst; net/ipv4/tcp_ipv4.c `tcp_v4_rcv`,
/// net/ipv4/udp.c `udp_queue_rcv_one_skb`.
package struct SocketFilter: Hashable, Sendable {
  package enum Instruction: Hashable, Sendable {
    case loadOctet(at: UInt32)
    case loadWord(at: UInt32)
    /// The number of octets from the transport header on.
    case loadLength
    /// Of what was loaded, only these bits.
    case and(UInt32)
    /// Steps over so many instructions, where what was loaded is the number and where it is not.
    case ifEqual(UInt32, skip: UInt8, otherwise: UInt8)
    case ifAnyOf(UInt32, skip: UInt8, otherwise: UInt8)
    case ifAtLeast(UInt32, skip: UInt8, otherwise: UInt8)
    case accept
    case drop
  }

  package let instructions: [Instruction]
  /// As the kernel takes them.
  let encoded: [portproof_instruction]

  package init(_ instructions: [Instruction]) {
    self.instructions = instructions
    encoded = instructions.map(\.encoded)
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.instructions == right.instructions
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(instructions) }

  /// The corresponding C constant is `SKF_NET_OFF`.
  package static let networkHeader = UInt32(bitPattern: -0x100000)

  /// The most instructions that the kernel takes.
  ///
  /// The corresponding C constant is `BPF_MAXINSNS`.
  package static let capacity = 4096
}

extension SocketFilter.Instruction {
  /// Source: include/uapi/linux/bpf_common.h.
  fileprivate var encoded: portproof_instruction {
    switch self {
    case .loadOctet(let offset): instruction(0x30, offset)
    case .loadWord(let offset): instruction(0x20, offset)
    case .loadLength: instruction(0x80, 0)
    case .and(let mask): instruction(0x54, mask)
    case .ifEqual(let value, let yes, let no): instruction(0x15, value, yes, no)
    case .ifAnyOf(let value, let yes, let no): instruction(0x45, value, yes, no)
    case .ifAtLeast(let value, let yes, let no): instruction(0x35, value, yes, no)
    case .accept: instruction(0x06, .max)
    case .drop: instruction(0x06, 0)
    }
  }

  private func instruction(
    _ code: UInt16, _ operand: UInt32, _ yes: UInt8 = 0, _ no: UInt8 = 0
  ) -> portproof_instruction {
    portproof_instruction(code: code, when_true: yes, when_false: no, operand: operand)
  }
}
