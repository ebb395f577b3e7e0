package import Addresses
package import Rulesets

/// What is known about every packet of a question while it stands at one hook.
package struct HookContext: Hashable, Sendable {
  package var family: IPFamily
  package var hook: Hook
  /// Whether the packet belongs to the answering direction of its connection.
  package var isReply: Bool
  /// Whether a device delivered the packet: false on the way out of the host that sent it.
  package var hasInputDevice: Bool
  package var hasOutputDevice: Bool
  /// Whether packets with unusual headers are asked about too: IPv6 extension headers, IPv4
  /// options, first fragments, marks set by the sender.
  ///
  /// A connection that must work uses none of them; one that must be denied may try them all.
  package var coversUnusualPackets: Bool
  /// Whether the connection's addresses may have been translated before this hook.
  package var mayBeTranslated: Bool

  package init(
    family: IPFamily, hook: Hook, isReply: Bool, hasInputDevice: Bool, hasOutputDevice: Bool,
    coversUnusualPackets: Bool, mayBeTranslated: Bool = false
  ) {
    self.family = family
    self.hook = hook
    self.isReply = isReply
    self.hasInputDevice = hasInputDevice
    self.hasOutputDevice = hasOutputDevice
    self.coversUnusualPackets = coversUnusualPackets
    self.mayBeTranslated = mayBeTranslated
  }
}
