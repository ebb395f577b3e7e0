package import Addresses
package import Rulesets

/// What is known of every packet of a question while it stands at one hook.
package struct HookContext: Hashable, Sendable {
  /// What is known of the connection that packets belong to.
  package enum Connection: Hashable, Sendable {
    /// They open it; `mayBeTranslated` if an earlier hook may have bound its addresses to others.
    case opening(mayBeTranslated: Bool)
    /// They follow packets whose way through each host is known, in one direction.
    case following(isReply: Bool)
    /// Nothing but, perhaps, that an answer was seen before.
    case any(isEstablished: Bool)

    /// Whether packets belong to connections that other packets opened.
    var hasEntry: Bool {
      switch self {
      case .any, .following: true
      case .opening: false
      }
    }

    var isReply: Bool { self == .following(isReply: true) }

    /// Whether earlier packets may have bound the connection to other addresses.
    var mayBeBound: Bool {
      switch self {
      case .any: true
      case .opening, .following: false
      }
    }
  }

  package var family: IPFamily
  package var hook: Hook
  package var connection: Connection
  /// Whether a device delivered the packet: false on the way out of the host that sent it.
  package var hasInputDevice: Bool
  package var hasOutputDevice: Bool
  /// Whether packets with unusual headers are asked about too: IPv6 extension headers, IPv4
  /// options, first fragments, marks set by the sender.
  ///
  /// A connection that must work uses none of them; one that must be denied may try them all.
  package var coversUnusualPackets: Bool
  /// Whether TCP packets may carry options.
  package var mayHaveOptions: Bool

  package init(
    family: IPFamily, hook: Hook, connection: Connection, hasInputDevice: Bool,
    hasOutputDevice: Bool, coversUnusualPackets: Bool, mayHaveOptions: Bool = true
  ) {
    self.family = family
    self.hook = hook
    self.connection = connection
    self.hasInputDevice = hasInputDevice
    self.hasOutputDevice = hasOutputDevice
    self.coversUnusualPackets = coversUnusualPackets
    self.mayHaveOptions = mayHaveOptions
  }
}
