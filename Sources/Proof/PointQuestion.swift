package import Addresses
internal import PacketSets
package import Rulesets

/// One exact packet at one hook: a question whose every answer is a point.
///
/// Where simulation and proof meet: the same packet, asked of both, has the same fate.
package struct PointQuestion: Sendable {
  package var family: IPFamily
  package var hook: Hook
  /// The bytes from the IP header on: whole, without extension headers or IPv4 options.
  package var bytes: [UInt8]
  package var inputName: InterfaceName?
  package var outputName: InterfaceName?
  /// The bit that `ct state` reads once connections are looked up.
  package var connectionState: UInt128
  /// The Ethernet addresses of the frame, where the packet came in one.
  package var ethernet: (destination: MACAddress, source: MACAddress)?

  package init(
    family: IPFamily, hook: Hook, bytes: [UInt8], inputName: InterfaceName?,
    outputName: InterfaceName?, connectionState: UInt128,
    ethernet: (destination: MACAddress, source: MACAddress)? = nil
  ) {
    self.family = family
    self.hook = hook
    self.bytes = bytes
    self.inputName = inputName
    self.outputName = outputName
    self.connectionState = connectionState
    self.ethernet = ethernet
  }
}

extension PointQuestion {
  /// The number that bits of the packet make, counted from its first octet's highest bit.
  ///
  /// Bits beyond its end read as zero.
  func number(_ bits: Range<Int>) -> UInt128 {
    bits.reduce(0) { number, bit in
      let octet = bit / 8 < bytes.count ? bytes[bit / 8] : 0
      return number << 1 | UInt128(octet >> UInt8(7 - bit % 8) & 1)
    }
  }

  /// Where the transport header begins, in bits.
  private var transportOffset: Int { family == .ipv4 ? 160 : 320 }

  /// The packet as a cube of single values, in every field that a rule may ask for.
  func state(in register: inout DimensionRegister) -> PacketState {
    let start = transportOffset
    let transport = number(family == .ipv4 ? 72..<80 : 48..<56)
    let addresses: (Range<Int>, Range<Int>) =
      family == .ipv4 ? (96..<128, 128..<160) : (64..<192, 192..<320)
    let single = { (value: UInt128) in IntervalSet(value) }
    var cube = Cube(core: [
      single(number(addresses.0)), single(number(addresses.1)), single(transport),
      single(number(start..<start + 16)), single(number(start + 16..<start + 32)),
      single(inputName?.rawValue ?? 0), single(outputName?.rawValue ?? 0),
      single(connectionState), single(0), single(number(start + 104..<start + 112)),
    ])
    let network =
      family == .ipv4 ? HeaderLayout.ipv4(coversUnusualPackets: false) : HeaderLayout.ipv6
    let layouts = [(0, network), (start, HeaderLayout.transport(UInt8(transport)))]
    for (offset, segments) in layouts {
      for segment in segments {
        let bits = segment.range.lowerBound + offset..<segment.range.upperBound + offset
        switch segment.content {
        case .constant, .dimension: continue
        case .field(let name, let domain):
          cube.assign(single(number(bits)), to: register.field(name, domain: domain))
        case .tied(let name):
          let domain = IntervalSet(bitWidth: segment.range.count)
          cube.assign(
            single(number(bits)), to: register.field(name, domain: domain, kind: .unknown))
        }
      }
    }
    let length = register.field(
      "meta length", domain: IntervalSet(bitWidth: 32), kind: .unknown)
    cube.assign(single(UInt128(bytes.count)), to: length)
    cube.assign(single(0), to: register.packetType)
    if let ethernet {
      for (name, address) in [
        ("ether daddr", ethernet.destination), ("ether saddr", ethernet.source),
      ] {
        cube.assign(
          single(UInt128(address.rawValue)),
          to: register.field(name, domain: IntervalSet(bitWidth: 48)))
      }
    }
    var state = PacketState(cube: cube)
    if connectionState == ConnectionBits.new {
      state.cube.assign(single(0), to: register.connectionMark)
    } else {
      state.forget(register.connectionMark, domain: IntervalSet(bitWidth: 32))
    }
    return state
  }
}

extension RulesetWalk {
  /// What becomes of one packet at one hook, and what decided.
  ///
  /// Gates count as not known.
  ///
  /// - Parameters:
  ///   - question: The packet and the hook.
  ///   - isWidened: Whether the packet is asked about in the midst of all packets with other
  ///     addresses, ports and interfaces; the answer is then read off the part it falls into.
  ///   - register: The dimensions of the question.
  /// - Returns: the fate, and the rule or policy that decided; a fate that is not known where the
  ///   widened question falls into too many parts.
  package mutating func fate(
    of question: PointQuestion, isWidened: Bool = false, _ register: inout DimensionRegister
  ) -> (fate: Leaf.Fate, location: RuleLocation?) {
    register.forgetVariables()
    gates = .unknown
    budget = 100_000
    followsRouting = false
    surroundings = nil
    station = 0
    isReturning = false
    isOpening = true
    defer { followsRouting = true }
    var collector = FateCollector()
    collector.countsOneHostAlone = true
    collector.keepsAll = true
    let context = HookContext(
      family: question.family, hook: question.hook,
      connection: question.connectionState == ConnectionBits.new
        ? .opening(mayBeTranslated: true)
        : .any(isEstablished: question.connectionState == ConnectionBits.established),
      hasInputDevice: question.inputName != nil, hasOutputDevice: question.outputName != nil,
      coversUnusualPackets: false, mayHaveOptions: false)
    let point = question.state(in: &register)
    var state = point
    if isWidened {
      for dimension: Dimension in [
        .sourceAddress, .destinationAddress, .transportWord0, .transportWord1,
      ] {
        state.cube.assign(register.domain(of: dimension, in: question.family), to: dimension)
      }
      if question.inputName != nil {
        state.cube.assign(IntervalSet(bitWidth: 128), to: .inputName)
      }
    }
    let passed = walk(
      hook: context, [state],
      connectionState: IntervalSet(question.connectionState),
      isLast: false, &collector, &register)
    for state in passed { finish(state, .accepted, nil, &collector, register) }
    return collector.onlyFate(of: point.cube, register)
  }
}

extension PacketState {
  /// Whether a packet was among these when they arrived.
  fileprivate func held(_ point: Cube) -> Bool {
    (0..<Dimension.coreCount).allSatisfy { index in
      let dimension = Dimension(rawValue: index)
      // The connection's state and the mark are the host's, and not in the packet.
      if dimension == .connectionState || dimension == .mark { return true }
      guard let value = point[dimension]?.onlyValue, let arrived = arrived(dimension) else {
        return true
      }
      return arrived.contains(value)
    }
  }
}

extension FateCollector {
  /// The fate that all leaves which hold a packet share, whatever the unknowns are.
  fileprivate func onlyFate(
    of point: Cube, _ register: DimensionRegister
  ) -> (fate: Leaf.Fate, location: RuleLocation?) {
    if let overflow { return (.unknown(overflow), nil) }
    let leaves = doubtful.filter { $0.state.held(point) }
    guard let first = leaves.first else { return (.unknown("no leaf"), nil) }
    if leaves.allSatisfy({ $0.fate == first.fate }) { return (first.fate, first.location) }
    if leaves.allSatisfy({ $0.fate.isRefusal }) { return (.dropped, first.location) }
    // The packet's own fields have one value each; what differs is a variable.
    let reasons = leaves.flatMap { register.unknowns(of: $0, variablesOnly: true) }
    let reason = reasons.first ?? "several fates"
    return (.unknown(reason), first.location)
  }
}

extension Leaf.Fate {
  fileprivate var isRefusal: Bool {
    switch self {
    case .dropped, .rejected: true
    case .accepted, .unknown: false
    }
  }
}
