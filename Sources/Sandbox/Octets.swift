import Addresses

/// Writes what parent and child say to each other.
///
/// Both ends are the same program, so there is no version; numbers are of 32 bits, most
/// significant octet first, and everything of variable size has its size before it.
struct OctetWriter {
  private(set) var bytes: [UInt8] = []

  mutating func reserveCapacity(_ count: Int) { bytes.reserveCapacity(count) }

  mutating func write(_ value: UInt8) { bytes.append(value) }

  mutating func write(_ value: UInt32) {
    bytes.append(UInt8(truncatingIfNeeded: value >> 24))
    bytes.append(UInt8(truncatingIfNeeded: value >> 16))
    bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
  }

  mutating func write(wide value: UInt128) {
    for shift in stride(from: 96, through: 0, by: -32) {
      write(UInt32(truncatingIfNeeded: value >> UInt128(shift)))
    }
  }

  mutating func write(_ octets: [UInt8]) {
    write(UInt32(octets.count))
    bytes += octets
  }

  /// Adds octets as they are, without their size.
  mutating func append(_ octets: [UInt8]) { bytes += octets }

  /// Adds the six octets of a hardware address, as on the wire.
  mutating func append(hardware: UInt64) {
    for shift in stride(from: UInt64(40), through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: hardware >> shift))
    }
  }

  mutating func write(_ text: String) { write(Array(text.utf8)) }

  mutating func write(_ name: InterfaceName) { write(wide: name.rawValue) }

  mutating func write(_ address: MACAddress?) {
    write(UInt32(address == nil ? 0 : 1))
    write(UInt32(truncatingIfNeeded: (address?.rawValue ?? 0) >> 32))
    write(UInt32(truncatingIfNeeded: address?.rawValue ?? 0))
  }

  mutating func write(_ address: IPAddress, length: Int) {
    write(UInt32(address.family == .ipv4 ? 4 : 6))
    write(wide: address.rawValue)
    write(UInt32(length))
  }

  /// Replaces a number that was written before.
  mutating func replace(at offset: Int, with value: UInt32) {
    for index in 0..<4 {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * index))
    }
  }
}

/// Reads zeros past the end and remembers that it did.
struct OctetReader {
  let bytes: [UInt8]
  private var offset = 0
  private var isCutShort = false

  init(bytes: [UInt8]) { self.bytes = bytes }

  var isComplete: Bool { !isCutShort && offset == bytes.count }

  mutating func octet() -> UInt8 {
    guard offset < bytes.count else {
      isCutShort = true
      return 0
    }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func number() -> UInt32 {
    guard offset + 4 <= bytes.count else {
      isCutShort = true
      return 0
    }
    var value: UInt32 = 0
    for index in offset..<offset + 4 { value = value << 8 | UInt32(bytes[index]) }
    offset += 4
    return value
  }

  /// How many follow; each takes four octets or more, so that nonsense ends.
  mutating func count() -> Int {
    let value = Int(number())
    guard value <= (bytes.count - offset) / 4 else {
      isCutShort = true
      return 0
    }
    return value
  }

  mutating func wide() -> UInt128 {
    var value: UInt128 = 0
    for _ in 0..<4 { value = value << 32 | UInt128(number()) }
    return value
  }

  /// Octets that have their size before them.
  mutating func octets() -> ArraySlice<UInt8> {
    let size = Int(number())
    guard size <= bytes.count - offset else {
      isCutShort = true
      return []
    }
    defer { offset += size }
    return bytes[offset..<offset + size]
  }

  mutating func text() -> String { String(decoding: octets(), as: UTF8.self) }

  mutating func name() -> InterfaceName { InterfaceName(rawValue: wide()) }

  mutating func hardwareAddress() -> MACAddress? {
    let isThere = number() != 0
    let value = UInt64(number() & 0xFFFF) << 32 | UInt64(number())
    return isThere ? MACAddress(rawValue: value) : nil
  }

  mutating func address() -> (IPAddress, length: Int) {
    let family: IPFamily = number() == 4 ? .ipv4 : .ipv6
    let value = wide() & family.highestAddress
    return (IPAddress(family, rawValue: value), min(Int(number()), family.bitWidth))
  }
}
