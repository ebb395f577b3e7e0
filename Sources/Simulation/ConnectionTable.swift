import Addresses
import Wire

/// The connections that packets of one run have opened.
struct ConnectionTable: Sendable {
  /// The two ends and the protocol of a packet.
  struct Flow: Hashable, Sendable {
    var family: IPFamily
    var transport: UInt8
    var source: UInt128
    var destination: UInt128
    /// Ports; for ICMP the identifier, and type and code.
    var sourcePort: UInt16
    var destinationPort: UInt16

    /// The flow of an answer.
    ///
    /// Source: net/netfilter/nf_conntrack_core.c `nf_ct_invert_tuple`.
    var reversed: Flow {
      var flow = self
      swap(&flow.source, &flow.destination)
      if isEcho {
        let type = UInt8(destinationPort >> 8)
        let answer = answers[type] ?? type
        flow.destinationPort = UInt16(answer) << 8 | destinationPort & 0xFF
      } else {
        swap(&flow.sourcePort, &flow.destinationPort)
      }
      return flow
    }

    var isEcho: Bool { transport == (family == .ipv4 ? 1 : 58) }

    private var answers: [UInt8: UInt8] {
      family == .ipv4
        ? [8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17]
        : [128: 129, 129: 128, 139: 140, 140: 139]
    }
  }

  struct Connection: Sendable {
    var original: Flow
    /// The flow as it leaves, turned round the flow of its answers; nil where that is not known.
    var mapped: Flow?
    /// Whether it is certain that the kernel has it, in this state.
    var isCertain = true
    var hasReply = false
    /// Whether an end was translated; where `mapped` is not known, whether it may have been.
    var isSourceMapped = false
    var isDestinationMapped = false
    /// Nil for all but TCP.
    var tcp: TCPTracking?
    /// Nil where it is not known.
    var mark: UInt32? = 0
    /// Whether zone, labels and helper are what they are without a rule that sets them.
    var isPlain = true

    var mayBeTranslated: Bool { isSourceMapped || isDestinationMapped }
  }

  private(set) var connections: [Connection] = []
  private var byOriginal: [Flow: Int] = [:]
  private var byReply: [Flow: Int] = [:]
  /// Connections whose answers may come from and go to other ends.
  private var blurred: [Int] = []
  /// Set where a flow was opened that cannot be recognised again: it lies in a zone.
  private var hidesReplies = false
  /// Whether an end of any connection may have been translated.
  private(set) var mayHoldTranslations = false

  var isEmpty: Bool { connections.isEmpty && !hidesReplies }

  subscript(index: Int) -> Connection {
    get { connections[index] }
    set { connections[index] = newValue }
  }

  /// Enters a connection; one that overlaps with another makes both uncertain.
  mutating func insert(_ connection: Connection, isHidden: Bool) {
    if isHidden { hidesReplies = true }
    if connection.mayBeTranslated { mayHoldTranslations = true }
    let index = connections.count
    connections.append(connection)
    var rivals = [byOriginal[connection.original], byReply[connection.original]].compactMap { $0 }
    if let answer = connection.mapped?.reversed {
      rivals += [byOriginal[answer], byReply[answer]].compactMap { $0 }
      byReply[answer] = index
    } else {
      blurred.append(index)
    }
    byOriginal[connection.original] = index
    guard !rivals.isEmpty else { return }
    for rival in rivals + [index] { connections[rival].isCertain = false }
  }

  /// Takes a connection out, as far as it can be found.
  mutating func remove(_ index: Int) {
    let connection = connections[index]
    if byOriginal[connection.original] == index { byOriginal[connection.original] = nil }
    if let answer = connection.mapped?.reversed, byReply[answer] == index { byReply[answer] = nil }
    blurred.removeAll { $0 == index }
  }

  /// Whether a flow's answers would be taken for those of a connection that is there.
  func isTaken(_ flow: Flow) -> Bool {
    let answer = flow.reversed
    return byOriginal[answer] != nil || byReply[answer] != nil
  }

  /// The connections from a source that was translated.
  func connections(from flow: Flow) -> [Connection] {
    connections.filter {
      $0.original.transport == flow.transport && $0.original.source == flow.source
        && $0.original.sourcePort == flow.sourcePort && $0.original.family == flow.family
    }
  }

  /// How a packet stands to the connections of the run.
  enum Relation: Hashable, Sendable {
    case unrelated
    case original(Int)
    case reply(Int)
    case undecided
  }

  func relation(of flow: Flow) -> Relation {
    if isEmpty { return .unrelated }
    if hidesReplies { return .undecided }
    if let index = byOriginal[flow] {
      return connections[index].isCertain ? .original(index) : .undecided
    }
    if let index = byReply[flow] {
      return connections[index].isCertain ? .reply(index) : .undecided
    }
    for index in blurred {
      let connection = connections[index]
      let known = connection.original
      guard known.transport == flow.transport, known.family == flow.family else { continue }
      // An answer shows the end that was not translated; types and identifiers may differ anyway.
      let fromServer =
        known.destination == flow.source
        && (flow.isEcho || known.destinationPort == flow.sourcePort)
      let toClient =
        known.source == flow.destination
        && (flow.isEcho || known.sourcePort == flow.destinationPort)
      let mayAnswer =
        switch (connection.isSourceMapped, connection.isDestinationMapped) {
        case (true, false): fromServer
        case (false, true): toClient
        // Where both ends may have been, it looks like neither.
        case (true, true), (false, false): true
        }
      if mayAnswer { return .undecided }
    }
    return .unrelated
  }
}
