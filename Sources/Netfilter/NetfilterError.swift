package import LinuxKernel

/// Why a ruleset could not be read through libnftables.
package enum NetfilterError: Hashable, Sendable, Error {
  /// Only an administrator of the network may read the rules of this machine.
  case notPrivileged
  /// A user without privilege may not make a namespace to load the text in.
  case namespaceRefused(step: NamespaceStep, Errno)
  case unreadable(path: String, Errno)
  /// libnftables refused, with nft's words.
  case rejected(message: String)
  /// libnftables ended its process.
  case crashed(signal: CInt)
  case timedOut(after: Duration)
  case tooLarge(limit: Int)
  /// The child could not be started or did not do as it should.
  case childFailed(reason: String)

  package enum NamespaceStep: String, Hashable, Sendable {
    case user
    case network
    case mapping
  }
}

extension NetfilterError: CustomStringConvertible {
  /// What is wrong, in one phrase.
  package var description: String {
    switch self {
    case .notPrivileged:
      "reading this machine's ruleset needs the capability CAP_NET_ADMIN"
    case .namespaceRefused(let step, let error):
      switch step {
      case .user: "this user may not create a user namespace: \(error)"
      case .network: "this user may not create a network namespace: \(error)"
      case .mapping: "this user could not be mapped into a new user namespace: \(error)"
      }
    case .unreadable(let path, let error): "cannot read '\(path)': \(error)"
    case .rejected(let message): "libnftables refused: \(message)"
    case .crashed(let signal): "libnftables ended its process with signal \(signal)"
    case .timedOut(let timeout):
      "libnftables did not answer within \(timeout.components.seconds) seconds"
    case .tooLarge(let limit): "the ruleset is larger than \(limit >> 20) MiB"
    case .childFailed(let reason): "the process that runs libnftables failed: \(reason)"
    }
  }

  /// What the reader can do about it.
  package var help: String? {
    switch self {
    case .notPrivileged:
      "run as root, or save the ruleset with `nft -j list ruleset` as root and read that file"
    case .namespaceRefused(_, let error):
      namespaceHelp(error)
    case .crashed:
      "rulesets that nft's own library cannot print exist; update libnftables, or read a listing "
        + "from another version"
    case .timedOut, .tooLarge, .unreadable, .rejected, .childFailed: nil
    }
  }

  private func namespaceHelp(_ error: Errno) -> String {
    var settings: [String] = []
    if Machine.setting("kernel.unprivileged_userns_clone") == 0 {
      settings.append("kernel.unprivileged_userns_clone is 0")
    }
    if Machine.setting("user.max_user_namespaces") == 0 || error == .noSpace {
      settings.append(
        "user.max_user_namespaces is \(Machine.setting("user.max_user_namespaces") ?? 0)")
    }
    if Machine.setting("kernel.apparmor_restrict_unprivileged_userns") == 1 {
      settings.append("kernel.apparmor_restrict_unprivileged_userns is 1")
    }
    let alternative =
      "run as root, or read the output of `nft -j list ruleset` instead of text"
    guard !settings.isEmpty else {
      return "a text ruleset is loaded in a throw-away namespace, which this environment forbids "
        + "(a container's seccomp profile, for example); \(alternative)"
    }
    return settings.joined(separator: ", ") + " on this machine; \(alternative)"
  }
}
