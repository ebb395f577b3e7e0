import TalosFrontend
import Testing

@Suite("Talos versions")
struct TalosVersionTests {
  @Test(arguments: [
    ("1.13", TalosVersion(1, 13)), ("v1.12.3", TalosVersion(1, 12, 3)),
    ("1.14.0-rc.1", TalosVersion(1, 14, 0, .candidate(1))),
    ("v1.8.0-alpha.2", TalosVersion(1, 8, 0, .alpha(2))),
    ("1.13.0-beta.0", TalosVersion(1, 13, 0, .beta(0))),
  ])
  func `a version is read`(text: String, version: TalosVersion) {
    #expect(TalosVersion(text) == version)
    #expect(TalosVersion(version.description) == version)
  }

  @Test(arguments: ["", "1", "1.", "1.x", "1.13.", "1.13-rc.1", "1.13.0-rc", "1.13.0.0", "+1.13"])
  func `anything else is no version`(text: String) {
    #expect(TalosVersion(text) == nil)
  }

  @Test
  func `versions rise, and a line without a patch is its newest patch`() throws {
    let rising = [
      "1.6.0", "1.7.5", "1.7.6", "1.7", "1.8.0-alpha.2", "1.8.0", "1.12.5", "1.12",
      "1.13.0-alpha.1", "1.13.0-beta.0", "1.13.0-rc.0", "1.13.0", "1.13.9", "1.13", "1.14.0-rc.1",
      "1.14",
    ]
    let versions = try rising.map { try #require(TalosVersion($0)) }
    for (lower, higher) in zip(versions, versions.dropFirst()) { #expect(lower < higher) }
    #expect(versions.allSatisfy { $0.isKnown })
    #expect(TalosVersion("1.5.9")?.isKnown == false)
    #expect(TalosVersion("1.16")?.isKnown == false)
    #expect(TalosVersion("1.15")?.isKnown == true)
    #expect(TalosVersion("1.6.0-alpha.1")?.isKnown == false)
  }
}
