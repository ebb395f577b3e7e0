package import Addresses

/// Prints numbers the way nft writes them, by what they mean.
package enum ValuePrinter {
  /// One value, as it stands on the right of a comparison or in a set.
  package static func text(_ value: UInt128, _ type: DataType) -> String {
    switch type {
    case .ipv4Address:
      return UInt32(exactly: value).map { "\(IPv4Address(rawValue: $0))" } ?? hexadecimal(value)
    case .ipv6Address: return "\(IPv6Address(rawValue: value))"
    case .etherAddress:
      return value >> 48 == 0 ? "\(MACAddress(rawValue: UInt64(value)))" : hexadecimal(value)
    case .interfaceName:
      let name = "\(InterfaceName(rawValue: value))"
      return name.hasSuffix("*") ? "\"\(name.dropLast())\\*\"" : "\"\(name)\""
    case .string: return "\"\(InterfaceName(rawValue: value))\""
    case .mark: return padded(value, digits: 8)
    case .tcpFlags, .connectionState, .connectionStatus: return flags(value, type, " | ")
    case .connectionLabel:
      let bits = (0..<128).filter { value >> UInt128($0) & 1 == 1 }.map(String.init)
      return bits.isEmpty ? "0x0" : bits.joined(separator: ",")
    case .classID:
      if let name = Symbols.name(of: value, type: type) { return name }
      return String(value >> 16, radix: 16) + ":" + String(value & 0xFFFF, radix: 16)
    case .hour: return "\"\(timeOfDay(value))\""
    case .time: return "\"\(date(value))\""
    case .day: return Symbols.name(of: value, type: type).map { "\"\($0)\"" } ?? "\(value)"
    case .etherType:
      return Symbols.name(of: value, type: type) ?? padded(value, digits: 4)
    case .interfaceIndex, .interfaceType, .port, .transportProtocol, .networkProtocol, .icmpType,
      .icmpv6Type, .icmpCode, .icmpv6Code, .icmpxCode, .dscp, .ecn, .connectionDirection,
      .packetType, .userID, .groupID, .realm, .fibAddressType, .boolean:
      return type == .userID || type == .groupID
        ? "\(value)" : Symbols.name(of: value, type: type) ?? "\(value)"
    case .integer(let bits): return bits > 64 ? hexadecimal(value) : "\(value)"
    }
  }

  /// Several flags, joined by `separator`; the number where a bit has no name.
  package static func flags(_ value: UInt128, _ type: DataType, _ separator: String) -> String {
    if type == .connectionLabel { return text(value, type) }
    var names: [String] = []
    for bit in 0..<UInt128(type.bitWidth) where value >> bit & 1 == 1 {
      guard let name = Symbols.name(of: 1 << bit, type: type) else { return hexadecimal(value) }
      names.append(name)
    }
    return names.isEmpty ? "0x0" : names.joined(separator: separator)
  }

  /// A range, as a prefix, a wildcard or its two ends.
  package static func text(_ interval: Interval, _ type: DataType) -> String {
    if interval.lower == interval.upper { return text(interval.lower, type) }
    switch type {
    case .ipv4Address, .ipv6Address:
      if let length = prefixLength(interval, bitWidth: type.bitWidth) {
        return "\(text(interval.lower, type))/\(length)"
      }
    case .interfaceName:
      let name = "\(InterfaceName(rawValue: interval.lower))"
      if InterfaceName.beginning(with: name) == interval { return "\"\(name)*\"" }
    case .etherAddress, .interfaceIndex, .interfaceType, .mark, .port, .transportProtocol,
      .networkProtocol, .etherType, .icmpType, .icmpv6Type, .icmpCode, .icmpv6Code, .icmpxCode,
      .tcpFlags, .dscp, .ecn, .connectionState, .connectionStatus, .connectionDirection,
      .connectionLabel, .packetType, .userID, .groupID, .realm, .classID, .time, .day, .hour,
      .fibAddressType, .boolean, .integer, .string:
      break
    }
    return "\(text(interval.lower, type))-\(text(interval.upper, type))"
  }

  private static func prefixLength(_ interval: Interval, bitWidth: Int) -> Int? {
    let free = interval.lower ^ interval.upper
    guard free & (free &+ 1) == 0, interval.lower & free == 0 else { return nil }
    return bitWidth - (UInt128.bitWidth - free.leadingZeroBitCount)
  }

  static func hexadecimal(_ value: UInt128) -> String { "0x" + String(value, radix: 16) }

  private static func padded(_ value: UInt128, digits: Int) -> String {
    let text = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }

  private static func two(_ value: UInt128) -> String { value < 10 ? "0\(value)" : "\(value)" }

  private static func timeOfDay(_ seconds: UInt128) -> String {
    let text = "\(two(seconds / 3600)):\(two(seconds / 60 % 60))"
    return seconds % 60 == 0 ? text : "\(text):\(two(seconds % 60))"
  }

  /// A date and time from nanoseconds since 1970.
  ///
  /// Source: civil date from days as in H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  private static func date(_ nanoseconds: UInt128) -> String {
    let seconds = nanoseconds / 1_000_000_000
    let days = seconds / 86_400 + 719_468
    let era = days / 146_097
    let dayOfEra = days - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let time = seconds % 86_400
    return "\(year)-\(two(month))-\(two(day)) "
      + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60))"
  }
}
