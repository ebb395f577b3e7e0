import LinuxKernel
import Netfilter
import Outcomes
import Replay
import Sandbox
import Testing

@Suite("What keeps the sandbox from working")
struct SandboxDiagnosisTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let error: SandboxError
    var settings: [String: Int] = [:]
    var isRoot = false
    var isFiltered = false
    var isInContainer = false
    /// What the help must name.
    let named: String
  }

  static let cases = [
    Case(
      testDescription: "unprivileged user namespaces are switched off",
      error: .namespaceRefused(step: .user, .notPermitted),
      settings: ["kernel.unprivileged_userns_clone": 0, "user.max_user_namespaces": 15_000],
      named: "kernel.unprivileged_userns_clone is 0"),
    Case(
      testDescription: "no user namespaces at all",
      error: .namespaceRefused(step: .user, .noSpace), settings: ["user.max_user_namespaces": 0],
      named: "user.max_user_namespaces is 0"),
    Case(
      testDescription: "the limit of user namespaces is reached",
      error: .namespaceRefused(step: .user, .noSpace), settings: ["user.max_user_namespaces": 7],
      named: "user.max_user_namespaces is 7"),
    Case(
      testDescription: "no network namespaces",
      error: .namespaceRefused(step: .network, .noSpace), settings: ["user.max_net_namespaces": 0],
      isRoot: true, named: "user.max_net_namespaces is 0"),
    Case(
      testDescription: "AppArmor takes the capabilities away",
      error: .namespaceRefused(step: .network, .notPermitted),
      settings: ["kernel.apparmor_restrict_unprivileged_userns": 1],
      named: "kernel.apparmor_restrict_unprivileged_userns is 1"),
    Case(
      testDescription: "AppArmor's rule is none for root",
      error: .namespaceRefused(step: .network, .notPermitted),
      settings: ["kernel.apparmor_restrict_unprivileged_userns": 1], isRoot: true,
      named: "CAP_SYS_ADMIN"),
    Case(
      testDescription: "a container", error: .namespaceRefused(step: .user, .notPermitted),
      isRoot: true, isFiltered: true, isInContainer: true, named: "this container"),
    Case(
      testDescription: "a seccomp profile", error: .namespaceRefused(step: .user, .notPermitted),
      isFiltered: true, named: "a seccomp profile"),
    Case(
      testDescription: "no packet log",
      error: .failed(step: "subscribing to the packet log", .notSupported), isRoot: true,
      named: "nfnetlink_log"),
    Case(
      testDescription: "no nf_tables",
      error: .failed(step: "opening a netfilter socket", .notSupported), isRoot: true,
      named: "nf_tables"),
    Case(
      testDescription: "no virtual pairs",
      error: .failed(step: "adding interface eth0", .notSupported), isRoot: true, named: "veth"),
    Case(
      testDescription: "no IPv6",
      error: .failed(step: "setting net/ipv6/conf/all/forwarding", .noSuchFile), isRoot: true,
      named: "ipv6.disable"),
    Case(
      testDescription: "rules are refused",
      error: .rejected(
        RulesetRejection(words: "Error: Could not process rule: Operation not supported")),
      isRoot: true, named: "nft_log"),
  ]

  @Test("is named, with what to do", arguments: cases) func named(case: Case) {
    let facts = SandboxDiagnosis.Facts(
      settings: `case`.settings, isRoot: `case`.isRoot, isFiltered: `case`.isFiltered,
      isInContainer: `case`.isInContainer)
    let obstacle = SandboxDiagnosis(facts).obstacle(for: `case`.error)
    #expect(obstacle.help?.contains(`case`.named) == true, "\(obstacle)")
    #expect(!obstacle.reason.isEmpty)
  }
}
