internal import Addresses
internal import Capture

/// What a run sees of its own packets on this machine's interfaces, all at once.
struct Tap: ~Copyable {
  private var live: LiveCapture
  let filter: String

  /// - Parameters:
  ///   - flows: Which packets are the run's.
  ///   - types: The ICMP types, besides those of echoes, that are too.
  ///   - isBothWays: Whether what is sent is seen too.
  /// - Throws: What keeps packets from being captured.
  init(_ flows: [CaptureFilter.Flows], types: [UInt8], isBothWays: Bool) throws(CaptureError) {
    guard let any = InterfaceName("any") else { preconditionFailure("the name is short") }
    // Room for tens of thousands of answers that come while others are sent.
    var live = try LiveCapture(
      any,
      settings: LiveCapture.Settings(
        snapshotLength: 256, bufferByteCount: 32 << 20, direction: isBothWays ? nil : .inbound))
    var text = CaptureFilter(flows).text
    if !types.isEmpty {
      let terms = types.map { "icmp[icmptype] = \($0)" }
      let six = types.map { "icmp6[icmp6type] = \($0)" }
      text = "(\(text)) or (icmp and (\(terms.joined(separator: " or "))))"
      text += " or (icmp6 and (\(six.joined(separator: " or "))))"
    }
    // Without this what is sent would take room too.
    try live.setFilter(isBothWays ? text : "inbound and (\(text))")
    self.live = live
    filter = text
  }

  var selectableDescriptor: CInt { live.selectableDescriptor }

  /// Hands out what is there now.
  mutating func drain(_ body: (CapturedPacket, Span<UInt8>) -> Void) throws(CaptureError) -> Int {
    try live.drain(limit: 4096, body).packets
  }

  /// Packets that were not seen for want of room, so far.
  mutating func lost() throws(CaptureError) -> Int { try live.statistics().droppedByKernel }
}
