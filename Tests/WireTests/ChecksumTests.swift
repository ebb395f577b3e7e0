import Testing
import Wire

@Suite("Checksums")
struct ChecksumTests {
  struct Case: Sendable {
    let bytes: [UInt8]
    let checksum: UInt32
  }

  /// Source: RFC 3720, appendix B.4.
  static let cases = [
    Case(bytes: [UInt8](repeating: 0, count: 32), checksum: 0x8A91_36AA),
    Case(bytes: [UInt8](repeating: 0xFF, count: 32), checksum: 0x62A8_AB43),
    Case(bytes: (0..<32).map { UInt8($0) }, checksum: 0x46DD_794E),
  ]

  @Test(arguments: cases) func `the CRC32c of known bytes`(case: Case) {
    #expect(CastagnoliChecksum.value(of: `case`.bytes) == `case`.checksum)
  }
}
