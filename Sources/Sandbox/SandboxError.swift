package import LinuxKernel
package import Netfilter

/// Why the kernel was not asked, or its answer is not known.
package enum SandboxError: Hashable, Sendable, Error {
  /// This environment does not let the sandbox have a namespace.
  case namespaceRefused(step: NetfilterError.NamespaceStep, Errno)
  /// nft or the kernel does not take the ruleset.
  case rejected(RulesetRejection)
  /// A step of setting up the host or of asking failed.
  case failed(step: String, Errno)
  /// A packet names an interface that the host description lacks.
  case unknownInterface(String)
  /// The child ended with a signal; what it had said.
  ///
  /// libnftables ends its process on some rulesets.
  case crashed(signal: CInt, words: String)
  case timedOut(after: Duration)
  /// The child could not be started or did not do as it should.
  case childFailed(reason: String)
  /// There is no ruleset in the sandbox: none was loaded, or the last one was refused.
  case nothingLoaded
}

extension SandboxError: CustomStringConvertible {
  /// What is wrong, in one phrase.
  package var description: String {
    switch self {
    case .namespaceRefused(let step, let error):
      NetfilterError.namespaceRefused(step: step, error).description
    case .rejected(let rejection): "the ruleset cannot be loaded: \(rejection)"
    case .failed(let step, let error): "\(step): \(error)"
    case .unknownInterface(let name): "the host has no interface \(name)"
    case .crashed(let signal, let words):
      "the sandbox ended with signal \(signal)" + (words.isEmpty ? "" : ": \(words)")
    case .timedOut(let timeout):
      "the sandbox did not answer within \(timeout.components.seconds) seconds"
    case .childFailed(let reason): "the process of the sandbox failed: \(reason)"
    case .nothingLoaded: "no ruleset is loaded in the sandbox"
    }
  }

  /// What the reader can do about it.
  package var help: String? {
    switch self {
    case .namespaceRefused(let step, let error):
      NetfilterError.namespaceRefused(step: step, error).help
    case .rejected, .failed, .unknownInterface, .crashed, .timedOut, .childFailed, .nothingLoaded:
      nil
    }
  }
}
