package import Addresses
package import Rulesets
package import Simulation

/// A packet for the kernel, byte for byte.
package struct SandboxPacket: Hashable, Sendable {
  package enum Origin: Hashable, Sendable {
    /// It comes in by an interface of the host description.
    ///
    /// Where the frame says nothing of them, it is addressed to the interface and its source is an
    /// address of the sandbox's choice.
    case received(InterfaceName, Packet.Frame)
    /// A program on the host sends it.
    case local
  }

  /// From the IP header on; they need not make sense.
  package var bytes: [UInt8]
  package var origin: Origin

  package init(bytes: [UInt8], origin: Origin) {
    self.bytes = bytes
    self.origin = origin
  }
}

/// What became of a packet at each hook that it reached.
package struct HookVerdicts: Hashable, Sendable {
  package enum Verdict: String, Hashable, Sendable {
    /// It left the hook.
    case accept
    /// It did not: dropped, rejected, or kept for reassembly.
    case drop
  }

  /// What ingress has in the place of a number; egress comes behind it.
  static let firstDeviceHook: UInt8 = 5

  /// Bit n is set for the hook that has the number n.
  var entered: UInt8
  var left: UInt8

  init(entered: UInt8 = 0, left: UInt8 = 0) {
    self.entered = entered
    self.left = left
  }

  /// The verdict of a hook; nil where the packet did not get there.
  ///
  /// Ingress and egress are reached only at devices that have a chain there; egress only by
  /// packets that go on their way.
  package subscript(hook: Hook) -> Verdict? {
    let bit: UInt8 = 1 << hook.bitNumber
    guard entered & bit != 0 else { return nil }
    return left & bit != 0 ? .accept : .drop
  }

  /// The verdicts of all hooks that the packet reached.
  package var byHook: [Hook: Verdict] {
    var verdicts: [Hook: Verdict] = [:]
    for hook in Hook.allCases { verdicts[hook] = self[hook] }
    return verdicts
  }
}

extension Hook {
  /// The number of a hook of the IP layer, and one of the sandbox's own for those of a device.
  ///
  /// Source: include/uapi/linux/netfilter.h, `enum nf_inet_hooks`.
  fileprivate var bitNumber: UInt8 {
    switch self {
    case .prerouting: 0
    case .input: 1
    case .forward: 2
    case .output: 3
    case .postrouting: 4
    case .ingress: HookVerdicts.firstDeviceHook
    case .egress: HookVerdicts.firstDeviceHook + 1
    }
  }
}
