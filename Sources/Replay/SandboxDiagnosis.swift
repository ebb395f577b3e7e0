internal import LinuxKernel
internal import Netfilter
package import Outcomes
package import Sandbox

/// What of a machine keeps the sandbox from working.
package struct SandboxDiagnosis: Sendable {
  /// What is known of the machine.
  package struct Facts: Hashable, Sendable {
    /// Kernel settings by their names, as far as this kernel has them.
    package var settings: [String: Int]
    package var isRoot: Bool
    /// Whether a seccomp profile filters this process's system calls.
    package var isFiltered: Bool
    package var isInContainer: Bool

    package init(
      settings: [String: Int], isRoot: Bool, isFiltered: Bool, isInContainer: Bool
    ) {
      self.settings = settings
      self.isRoot = isRoot
      self.isFiltered = isFiltered
      self.isInContainer = isInContainer
    }

    /// This machine, as this process sees it.
    package static var here: Facts {
      var settings: [String: Int] = [:]
      for name in SandboxDiagnosis.settings { settings[name] = Machine.setting(name) }
      return Facts(
        settings: settings, isRoot: Machine.effectiveUserID == 0,
        isFiltered: Machine.hasSystemCallFilter,
        isInContainer: ["/.dockerenv", "/run/.containerenv"].contains { Files.exists($0) })
    }
  }

  /// The settings that may forbid namespaces.
  fileprivate static let settings = [
    "kernel.unprivileged_userns_clone", "user.max_user_namespaces", "user.max_net_namespaces",
    "kernel.apparmor_restrict_unprivileged_userns",
  ]

  private let facts: Facts

  package init(_ facts: Facts) { self.facts = facts }

  /// The error with what causes it and what to do.
  package func obstacle(for error: SandboxError) -> ReplaySummary.Obstacle {
    var reason = error.description
    var help: String?
    switch error {
    case .namespaceRefused(let step, let cause): help = namespaceHelp(step, cause)
    case .failed(let step, _): help = partHelp(step)
    case .rejected(let rejection):
      reason = "the kernel does not take the simplest ruleset: \(rejection)"
      help =
        "the kernel modules nf_tables, nf_tables_inet and nft_log (nf_log_syslog,"
        + " nfnetlink_log) are needed: load them, or install the kernel's full modules package"
    case .unknownInterface, .crashed, .timedOut, .childFailed, .nothingLoaded: help = error.help
    }
    return ReplaySummary.Obstacle(reason: reason, help: help)
  }

  private func namespaceHelp(_ step: NetfilterError.NamespaceStep, _ error: Errno) -> String {
    if facts.settings["kernel.unprivileged_userns_clone"] == 0, !facts.isRoot {
      return "kernel.unprivileged_userns_clone is 0: `sysctl -w kernel.unprivileged_userns_clone=1`"
        + " as root, or run portproof as root"
    }
    if step == .user, facts.settings["user.max_user_namespaces"] == 0 || error == .noSpace {
      return "user.max_user_namespaces is \(value("user.max_user_namespaces")): "
        + "`sysctl -w user.max_user_namespaces=15000` as root, or run portproof as root"
    }
    if step == .network, facts.settings["user.max_net_namespaces"] == 0 || error == .noSpace {
      return "user.max_net_namespaces is \(value("user.max_net_namespaces")): "
        + "`sysctl -w user.max_net_namespaces=15000` as root"
    }
    if facts.settings["kernel.apparmor_restrict_unprivileged_userns"] == 1, !facts.isRoot {
      return "kernel.apparmor_restrict_unprivileged_userns is 1: give portproof an AppArmor profile"
        + " that allows `userns`, or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` as"
        + " root, or run portproof as root"
    }
    if facts.isInContainer || facts.isFiltered {
      let what =
        facts.isInContainer
        ? "this container forbids namespaces" : "a seccomp profile forbids namespaces"
      return what + ": start it with `--cap-add NET_ADMIN --cap-add SYS_ADMIN`, or with"
        + " `--security-opt seccomp=unconfined` where user namespaces are allowed"
    }
    return facts.isRoot
      ? "the capability CAP_SYS_ADMIN is missing: run portproof as root with all capabilities"
      : "user namespaces are not allowed to this user: run portproof as root"
  }

  private func partHelp(_ step: String) -> String? {
    if step.contains("packet log") {
      return "the kernel module nfnetlink_log is needed: `modprobe nfnetlink_log` as root"
    }
    if step.contains("netfilter socket") || step.contains("what was loaded") {
      return "the kernel modules nfnetlink and nf_tables are needed: `modprobe nf_tables` as root"
    }
    if step.contains("adding interface") {
      return "the kernel module veth is needed: `modprobe veth` as root"
    }
    if step.contains("IPv6") || step.contains("net/ipv6") {
      return "IPv6 is needed, which this kernel was started without (ipv6.disable=1)"
    }
    return nil
  }

  private func value(_ setting: String) -> String {
    facts.settings[setting].map(String.init) ?? "used up"
  }
}
