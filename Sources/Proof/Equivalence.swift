package import Addresses
package import Outcomes
package import Rulesets

/// Whether two rulesets treat every packet alike at every hook.
package enum Equivalence: Sendable {
  case equivalent
  /// Some packet meets another fate.
  case different(Difference)
  /// Not known, for these reasons.
  case notKnown(reasons: [String])

  /// A packet that two rulesets treat differently at one hook.
  package struct Difference: Sendable {
    package var family: IPFamily
    package var hook: Hook
    /// The packet in the words of reports.
    package var packet: PacketDescription
    /// The packet from the IP header on, with right lengths and checksums; nil where no ordinary
    /// packet shows the difference.
    package var bytes: [UInt8]?
    package var inputName: InterfaceName?
    package var outputName: InterfaceName?
    /// What `ct state` reads, as nft names it.
    package var connectionState: String
    package var old: Side
    package var new: Side
    /// What else must be so for the packet to be treated differently: `limit … exceeded`.
    package var conditions: [String]
  }

  /// What becomes of the packet on one side.
  package struct Side: Sendable {
    /// `accept`, `drop`, `reject with tcp reset`, `accept, with meta mark 0x1`.
    package var verdict: String
    package var fate: Leaf.Fate
    /// What decided; nil where no base chain stands at the hook.
    package var location: RuleLocation?
  }

  package var isEquivalent: Bool {
    if case .equivalent = self { true } else { false }
  }
}
