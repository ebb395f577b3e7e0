internal import Addresses
internal import PacketSets
internal import Rulesets

/// What one host's address translation exchanges in the packets of a connection.
///
/// A translated field has two values: the one that packets carry now, in the field's own dimension,
/// and the other one, in a dimension that keeps it. Translating exchanges the two, there and back,
/// so a connection's own addresses are never lost.
///
/// The ends are those of the packet that opens the connection. Source: RFC 3022 §2;
/// net/netfilter/nf_nat_core.c, `nf_nat_setup_info` and `nf_nat_packet`.
struct Binding: Hashable, Sendable {
  enum End: Hashable, Sendable {
    case source
    case destination

    var opposite: End { self == .source ? .destination : .source }
  }

  /// A field of one end: its address or its port.
  struct Part: Hashable, Sendable {
    let end: End
    let isPort: Bool

    /// The dimension that holds the part in a packet.
    func dimension(isReply: Bool) -> Dimension {
      let inSource = (end == .source) != isReply
      if isPort { return inSource ? .transportWord0 : .transportWord1 }
      return inSource ? .sourceAddress : .destinationAddress
    }

    /// The name of the dimension that keeps the part's other value.
    func keptName(at station: Int) -> String {
      "\(isPort ? "port" : "address") of the \(end == .source ? "source" : "destination")"
        + " on the other side of host \(station)"
    }
  }

  /// Which parts are exchanged, with the dimensions that keep their other values.
  private(set) var kept: [Part: Dimension] = [:]
  /// The ends of which packets carry the translated values now.
  var carried: Set<End> = []
  /// The ends that the entry's status calls translated: `IPS_SRC_NAT`, `IPS_DST_NAT`.
  var changed: Set<End> = []

  mutating func keep(_ part: Part, in dimension: Dimension) { kept[part] = dimension }

  func parts(of end: End) -> [(part: Part, kept: Dimension)] {
    [false, true].compactMap { isPort in
      let part = Part(end: end, isPort: isPort)
      return kept[part].map { (part, $0) }
    }
  }

  /// Where a member of the connection's two tuples stands for a packet now.
  ///
  /// - Parameters:
  ///   - part: Which end, as the opener sees it, and which half of it.
  ///   - isTranslated: Whether the value after translation is asked for: the reply tuple's.
  ///   - isReply: Whether the packet is an answer.
  /// - Returns: the dimension that holds it.
  func dimension(of part: Part, isTranslated: Bool, isReply: Bool) -> Dimension {
    guard let kept = kept[part], carried.contains(part.end) != isTranslated else {
      return part.dimension(isReply: isReply)
    }
    return kept
  }
}

/// What a host remembers of a connection besides its addresses, and where its packets came and went.
struct Visit: Hashable, Sendable {
  /// The interfaces by which the packet came and went.
  var inputName: IntervalSet
  var outputName: IntervalSet
  /// Whether the outgoing interface is not known.
  var hasUnknownOutput: Bool
  /// The mark of the connection's entry; nil where it is not known.
  var connectionMark: IntervalSet?
  /// Whether the host holds no entry of the connection.
  var isUntracked: Bool
}

extension Translation.Kind {
  /// The end that the translation changes.
  var end: Binding.End {
    switch self {
    case .destination, .redirect: .destination
    case .source, .masquerade: .source
    }
  }
}

extension Hook {
  /// The end that translation at a hook changes in packets of the opener
  /// (include/net/netfilter/nf_nat.h, `HOOK2MANIP`).
  var translatedEnd: Binding.End? {
    switch self {
    case .prerouting, .output: .destination
    case .postrouting, .input: .source
    case .forward, .ingress, .egress: nil
    }
  }
}

extension PacketState {
  /// Exchanges what packets carry of an end with what is kept of it.
  mutating func exchange(_ end: Binding.End, at station: Int, isReply: Bool) {
    guard var binding = bindings[station] else { return }
    for (part, kept) in binding.parts(of: end) {
      let live = part.dimension(isReply: isReply)
      guard let arriving = cube[live], let other = cube[kept] else {
        preconditionFailure("both values of an exchanged field stand in the cube")
      }
      remember(live, as: .kept(kept))
      cube.assign(other, to: live)
      cube.assign(arriving, to: kept)
      for index in unknown.indices {
        if unknown[index].dimension == live {
          unknown[index] = Cube.Entry(dimension: kept, set: unknown[index].set)
        } else if unknown[index].dimension == kept {
          unknown[index] = Cube.Entry(dimension: live, set: unknown[index].set)
        }
      }
    }
    if binding.carried.remove(end) == nil { binding.carried.insert(end) }
    bindings[station] = binding
  }

  /// Gives a part of the packet a new value, and keeps the old one.
  ///
  /// - Parameters:
  ///   - part: Which part of the packet, as the opener sends it.
  ///   - set: What it may become.
  ///   - isKnown: false where which of the values it is nobody tells.
  ///   - kept: The dimension that keeps the old value.
  ///   - station: The host's place on the way.
  mutating func translate(
    _ part: Binding.Part, to set: IntervalSet, isKnown: Bool, keptIn kept: Dimension,
    at station: Int
  ) {
    let live = part.dimension(isReply: false)
    guard let old = cube[live] else {
      preconditionFailure("addresses and ports stand in every cube")
    }
    remember(live, as: .kept(kept))
    for index in unknown.indices where unknown[index].dimension == live {
      unknown[index] = Cube.Entry(dimension: kept, set: unknown[index].set)
    }
    cube.assign(old, to: kept)
    cube.assign(set, to: live)
    if !isKnown { unknown.append(Cube.Entry(dimension: live, set: set)) }
    bindings[station, default: Binding()].keep(part, in: kept)
    bindings[station, default: Binding()].carried.insert(part.end)
  }
}
