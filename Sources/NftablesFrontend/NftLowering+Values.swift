internal import Addresses
internal import Documents
internal import Rulesets

// Constants: numbers, symbols, addresses, ranges.
extension NftLowering {
  /// Whether a value of a listing is a constant, as opposed to something read from the packet.
  func isConstant(_ node: Node) -> Bool {
    switch document.kind(of: node) {
    case .number, .true, .false: return true
    case .string: return !(document.string(node)?.hasPrefix("@") ?? false)
    case .array:
      var children = document.children(of: node)
      while let child = children.next(in: document) {
        if !isConstant(child) { return false }
      }
      return true
    case .object:
      guard let member = document.onlyMember(of: node), let name = document.string(member.name)
      else { return false }
      switch name {
      case "|", "&", "^", "<<", ">>": return isConstant(member.value)
      default: return false
      }
    case .null: return false
    }
  }

  /// The number that a constant stands for.
  func constant(_ node: Node, _ type: DataType) throws(NotModelled) -> UInt128 {
    let value = try unboundedConstant(node, type)
    guard type.bitWidth >= 128 || value >> UInt128(type.bitWidth) == 0 else {
      throw NotModelled(reason: "`\(document.text(of: node))` does not fit \(type.bitWidth) bits")
    }
    return value
  }

  private func unboundedConstant(_ node: Node, _ type: DataType) throws(NotModelled) -> UInt128 {
    switch document.kind(of: node) {
    case .number:
      guard let number = document.unsigned(node) else {
        throw NotModelled(reason: "`\(document.text(of: node))` is no whole number")
      }
      return try listed(number, type)
    case .true: return 1
    case .false: return 0
    case .string:
      guard let text = document.string(node) else { break }
      return try constant(text: text, type)
    case .array:
      // A list is the flags that are set.
      guard Symbols.isBitmask(type) || isInteger(type) else { break }
      var value: UInt128 = 0
      var children = document.children(of: node)
      while let child = children.next(in: document) { value |= try constant(child, type) }
      return value
    case .object: return try folded(node, type)
    case .null: break
    }
    throw NotModelled(reason: "`\(compactText(of: node))` is no constant")
  }

  private func isInteger(_ type: DataType) -> Bool {
    if case .integer = type { true } else { type == .mark }
  }

  /// What a number of a listing means.
  ///
  /// Connection labels are listed by their bit's number. With `-n` nft lists the EtherTypes and ARP
  /// operations that it has names for in network order, read as a number of the host's: `ip` is 8
  /// (nft 1.0.6, src/json.c, `symbolic_constant_json`). No such number is assigned otherwise.
  private func listed(_ number: UInt128, _ type: DataType) throws(NotModelled) -> UInt128 {
    if type == .connectionLabel {
      guard number < 128 else { throw NotModelled(reason: "there are 128 connection labels") }
      return 1 << number
    }
    guard type == .etherType || comparesARPOperations, let word = UInt16(exactly: number) else {
      return number
    }
    let swapped = UInt128(word.byteSwapped)
    let meaning = type == .etherType ? type : .integer(bits: 16)
    return Symbols.name(of: swapped, type: meaning) == nil ? number : swapped
  }

  /// A bitwise operation between constants.
  private func folded(_ node: Node, _ type: DataType) throws(NotModelled) -> UInt128 {
    guard let member = document.onlyMember(of: node), let name = document.string(member.name),
      let operands = document.elements(of: member.value), let first = operands.first
    else { throw NotModelled(reason: "`\(compactText(of: node))` is no constant") }
    var value = try constant(first, type)
    for operand in operands.dropFirst() {
      switch name {
      case "|": value |= try constant(operand, type)
      case "&": value &= try constant(operand, type)
      case "^": value ^= try constant(operand, type)
      case "<<": value <<= try constant(operand, .integer(bits: 8))
      case ">>": value >>= try constant(operand, .integer(bits: 8))
      default: throw NotModelled(reason: "`\(name)` is no operation on constants")
      }
    }
    return value
  }

  /// The number that a string stands for.
  func constant(text: String, _ type: DataType) throws(NotModelled) -> UInt128 {
    switch type {
    case .ipv4Address:
      if let address = IPv4Address(text) { return UInt128(address.rawValue) }
    case .ipv6Address:
      if let address = IPv6Address(text) { return address.rawValue }
    case .etherAddress:
      if let address = MACAddress(text) { return UInt128(address.rawValue) }
    case .interfaceName:
      if let name = InterfaceName(unescapedStar(text)) { return name.rawValue }
    case .string:
      if let name = InterfaceName(text) { return name.rawValue }
    case .classID:
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      if parts.count == 2, let major = UInt16(parts[0].isEmpty ? "0" : parts[0], radix: 16),
        let minor = UInt16(parts[1].isEmpty ? "0" : parts[1], radix: 16)
      {
        return UInt128(major) << 16 | UInt128(minor)
      }
    case .hour:
      if let seconds = secondsOfDay(text) { return UInt128(seconds) }
    case .time:
      if let nanoseconds = localNanoseconds(text) { return nanoseconds }
    case .mark, .port, .transportProtocol, .networkProtocol, .etherType, .icmpType, .icmpv6Type,
      .icmpCode, .icmpv6Code, .icmpxCode, .tcpFlags, .dscp, .ecn, .connectionState,
      .connectionStatus, .connectionDirection, .connectionLabel, .packetType, .userID, .groupID,
      .realm, .day, .fibAddressType, .boolean, .integer, .interfaceIndex, .interfaceType:
      break
    }
    if let number = Symbols.number(of: text, type: type) { return number }
    if text.hasPrefix("0x"), let number = UInt128(text.dropFirst(2), radix: 16) { return number }
    // Realms are listed as decimal numbers in quotes, so that a name can stand there.
    if let number = UInt128(text) { return try listed(number, type) }
    throw NotModelled(reason: "what `\(text)` stands for is not in the listing")
  }

  /// The numbers that a constant, range, prefix or wildcard covers.
  func interval(_ node: Node, _ type: DataType) throws(NotModelled) -> Interval {
    if let text = document.string(node) {
      if type == .interfaceName, text.hasSuffix("*"), !text.hasSuffix("\\*") {
        guard let interval = InterfaceName.beginning(with: text.dropLast()) else {
          throw NotModelled(reason: "`\(text)` is too long for an interface name")
        }
        return interval
      }
      return Interval(try constant(text: text, type))
    }
    if let member = document.onlyMember(of: node) {
      if document.isString(member.name, "range"), let ends = document.elements(of: member.value),
        ends.count == 2
      {
        let (lower, upper) = (try constant(ends[0], type), try constant(ends[1], type))
        guard lower <= upper else {
          throw NotModelled(reason: "the range `\(compactText(of: node))` ends before it begins")
        }
        return Interval(lower, upper)
      }
      if document.isString(member.name, "prefix") { return try prefix(member.value, type) }
    }
    return Interval(try constant(node, type))
  }

  private func prefix(_ node: Node, _ type: DataType) throws(NotModelled) -> Interval {
    guard let address = document.member("addr", of: node), let length = integer("len", of: node),
      0...type.bitWidth ~= length
    else { throw NotModelled(reason: "`\(compactText(of: node))` is no prefix") }
    let value = try constant(address, type)
    let free = UInt128(type.bitWidth - length)
    let hostBits: UInt128 = free >= 128 ? .max : (1 << free) - 1
    return Interval(value & ~hostBits, value | hostBits)
  }

  /// `eth\*` names an interface whose last letter is a star.
  private func unescapedStar(_ text: String) -> String {
    text.hasSuffix("\\*") ? text.dropLast(2) + "*" : text
  }

  /// `HH:MM` or `HH:MM:SS`, in the time of the host that made the listing.
  private func secondsOfDay(_ text: String) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard 2...3 ~= parts.count, let hours = parts[0], let minutes = parts[1], 0..<24 ~= hours,
      0..<60 ~= minutes
    else { return nil }
    guard parts.count == 3 else { return hours * 3600 + minutes * 60 }
    guard let seconds = parts[2], 0..<60 ~= seconds else { return nil }
    return hours * 3600 + minutes * 60 + seconds
  }

  /// `YYYY-MM-DD HH:MM:SS` in nanoseconds since 1970, in the time of the host that made the listing.
  ///
  /// Source: days from a civil date as in H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  private func localNanoseconds(_ text: String) -> UInt128? {
    let parts = text.split(separator: " ")
    guard 1...2 ~= parts.count else { return nil }
    let date = parts[0].split(separator: "-").compactMap { Int($0) }
    guard date.count == 3, 1970...2554 ~= date[0], 1...12 ~= date[1], 1...31 ~= date[2],
      let seconds = parts.count == 2 ? secondsOfDay(String(parts[1])) : 0
    else { return nil }
    let year = date[1] <= 2 ? date[0] - 1 : date[0]
    let era = year / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (date[1] + (date[1] > 2 ? -3 : 9)) + 2) / 5 + date[2] - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    return (UInt128(days) * 86_400 + UInt128(seconds)) * 1_000_000_000
  }
}
