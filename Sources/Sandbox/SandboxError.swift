package import LinuxKernel
package import Netfilter

/// Why the kernel was not asked, or its answer is not known.
package enum SandboxError: Hashable, Sendable, Error {
  /// This environment does not let the sandbox have a namespace.
  case namespaceRefused(step: NetfilterError.NamespaceStep, Errno)
  /// nft or the kernel does not take the ruleset; nft's words.
  case rejected(words: String)
  /// A step of setting up the host or of asking failed.
  case failed(step: String, Errno)
  /// A packet names an interface that the host description lacks.
  case unknownInterface(String)
  /// The child ended with a signal.
  case signalled(CInt)
  case timedOut(after: Duration)
  /// The child could not be started or did not do as it should.
  case childFailed(reason: String)
}

extension SandboxError: CustomStringConvertible {
  /// What is wrong, in one phrase.
  package var description: String {
    switch self {
    case .namespaceRefused(let step, let error):
      NetfilterError.namespaceRefused(step: step, error).description
    case .rejected(let words): "the kernel does not take the ruleset: \(words)"
    case .failed(let step, let error): "\(step): \(error)"
    case .unknownInterface(let name): "the host has no interface \(name)"
    case .signalled(let signal): "the sandbox ended with signal \(signal)"
    case .timedOut(let timeout):
      "the sandbox did not answer within \(timeout.components.seconds) seconds"
    case .childFailed(let reason): "the process of the sandbox failed: \(reason)"
    }
  }

  /// What the reader can do about it.
  package var help: String? {
    switch self {
    case .namespaceRefused(let step, let error):
      NetfilterError.namespaceRefused(step: step, error).help
    case .rejected, .failed, .unknownInterface, .signalled, .timedOut, .childFailed: nil
    }
  }
}
