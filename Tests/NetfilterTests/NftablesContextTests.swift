import LinuxKernel
import Testing

@testable import Netfilter

@Suite("What libnftables prints into memory")
struct NftablesContextTests {
  @Test func `is found by offset and forgotten on demand`() {
    guard let context = NftablesContext() else {
      Issue.record("no memory for a context")
      return
    }
    // A context cannot be copied into what `#expect` captures.
    let before = context.offset(of: "address", from: 0)
    #expect(before == nil)
    context.write(.text)
    let isAddressDescribed = context.run("describe ip saddr")
    #expect(isAddressDescribed)
    let long = context.outputCount
    guard let place = context.offset(of: "ipv4_addr", from: 0) else {
      Issue.record("nothing was printed")
      return
    }
    let (again, after) = (
      context.offset(of: "ipv4_addr", from: place), context.offset(of: "ipv4_addr", from: place + 1)
    )
    #expect(again == place)
    #expect(after == nil)

    context.forgetOutput()
    let isPortDescribed = context.run("describe tcp dport")
    #expect(isPortDescribed)
    let (old, new) = (
      context.offset(of: "ipv4_addr", from: 0), context.offset(of: "inet_service", from: 0)
    )
    #expect(old == nil)
    #expect(new != nil)
    let short = context.outputCount
    #expect(short != long)
  }

  @Test(
    .enabled(
      if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
      "needs root: asks for the generation of the ruleset"))
  func `the kernel says which generation of the ruleset it holds`() {
    #expect(RulesetGeneration.current != nil)
  }
}
