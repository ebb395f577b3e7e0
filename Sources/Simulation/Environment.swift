import Wire

/// Everything that statements change while a packet is on its way.
struct Environment: Hashable, Sendable {
  struct Flags: OptionSet, Hashable, Sendable {
    let rawValue: UInt32
    init(rawValue: UInt32) { self.rawValue = rawValue }

    static let markUnknown = Flags(rawValue: 1)
    static let connectionMarkUnknown = Flags(rawValue: 2)
    /// `notrack` ran.
    static let untracked = Flags(rawValue: 4)
    static let untrackedUnknown = Flags(rawValue: 8)
    /// Any byte of the packet may have changed.
    static let packetUnknown = Flags(rawValue: 16)
    static let packetTypeUnknown = Flags(rawValue: 32)
    /// Addresses or ports were translated, and to what is not known.
    static let destinationTranslated = Flags(rawValue: 64)
    static let sourceTranslated = Flags(rawValue: 128)
    /// A nat chain of this hook has already bound the flow.
    static let boundAtHook = Flags(rawValue: 256)
    static let connectionMarkSet = Flags(rawValue: 512)
    /// Bytes that tracking reads may have changed before it looked.
    static let trackedBytesUnknown = Flags(rawValue: 1024)
    /// The packet is related to a connection and begins one of its own, or does not.
    static let relatedBegins = Flags(rawValue: 2048)
    static let relatedFollows = Flags(rawValue: 4096)
    /// The connection's status bits for translation: IPS_SRC_NAT and IPS_DST_NAT.
    static let sourceMapped = Flags(rawValue: 8192)
    static let destinationMapped = Flags(rawValue: 16384)
    /// The label, the zone or the helper of the connection was set.
    static let connectionChanged = Flags(rawValue: 32768)
    /// A statement, not translation, wrote addresses.
    static let addressesWritten = Flags(rawValue: 65536)
    /// The IPv4 header's checksum followed a change that was then not made.
    static let headerSumSpoilt = Flags(rawValue: 131072)
    /// Translation changed where a packet that came back on `lo` goes, so that its route from the
    /// way out does not count any more.
    static let routeForgotten = Flags(rawValue: 262144)
  }

  var mark: UInt32
  /// What a statement made of whom the frame was for; nil while it is as it came.
  var packetType: UInt8?
  var connectionMark: UInt32 = 0
  var flags: Flags = []
  /// The bytes that statements rewrote to something that is not known, as one range that holds them
  /// all.
  var alteredLower: Int32 = .max
  var alteredUpper: Int32 = 0
  /// The packet as it is where statements have rewritten it; nil while it is as it came.
  var content: PacketContent?
  /// The flow as it leaves where the packet begins a connection that is translated; nil if not.
  ///
  /// Turned round it is what the answers to it are addressed by.
  var mapped: ConnectionTable.Flow?

  init(mark: UInt32) { self.mark = mark }

  /// Whether addresses or ports were translated to something that is not known.
  var isTranslated: Bool {
    !flags.isDisjoint(with: [.destinationTranslated, .sourceTranslated])
  }

  mutating func alter(_ lower: Int, _ upper: Int) {
    alteredLower = min(alteredLower, Int32(clamping: lower))
    alteredUpper = max(alteredUpper, Int32(clamping: upper))
  }

  /// Whether bytes in the range may differ from those of the packet as far as it is known.
  @inline(__always)
  func mayDiffer(_ lower: Int, _ upper: Int) -> Bool {
    Int32(truncatingIfNeeded: lower) < alteredUpper
      && Int32(truncatingIfNeeded: upper) > alteredLower
  }

  /// Whether bytes that routing reads may differ: addresses, and of IPv4 the protocol and options.
  func mayRouteOtherwise(_ layout: PacketLayout) -> Bool {
    layout.isIPv4
      ? mayDiffer(9, 10) || mayDiffer(12, max(20, layout.transportOffset)) : mayDiffer(8, 40)
  }

  /// Forgets everything that a statement could have changed.
  ///
  /// - Parameters:
  ///   - mayStopTracking: Whether the statement may be a `notrack` that still works.
  ///   - isTracked: Whether tracking has looked at the packet.
  ///   - mayTranslate: Whether it may have bound the flow, as only chains of type nat can.
  mutating func forget(mayStopTracking: Bool, isTracked: Bool, mayTranslate: Bool) {
    mark = 0
    connectionMark = 0
    alteredLower = 0
    alteredUpper = .max
    content = nil
    flags.formUnion([
      .markUnknown, .connectionMarkUnknown, .connectionMarkSet, .packetUnknown,
      .packetTypeUnknown, .connectionChanged,
    ])
    if mayTranslate {
      mapped = nil
      flags.formUnion([.destinationTranslated, .sourceTranslated])
    }
    if mayStopTracking { flags.insert(.untrackedUnknown) }
    if !isTracked { flags.insert(.trackedBytesUnknown) }
  }
}
