internal import Glibc

/// Why the kernel refused something: a number of `errno(3)`.
package struct Errno: RawRepresentable, Hashable, Sendable, Error {
  package let rawValue: CInt

  package init(rawValue: CInt) { self.rawValue = rawValue }

  /// The corresponding C constant is `EPERM`.
  package static let notPermitted = Errno(rawValue: EPERM)
  /// The corresponding C constant is `ENOENT`.
  package static let noSuchFile = Errno(rawValue: ENOENT)
  /// The corresponding C constant is `EINTR`.
  package static let interrupted = Errno(rawValue: EINTR)
  /// The corresponding C constant is `EIO`.
  package static let inputOutput = Errno(rawValue: EIO)
  /// The corresponding C constant is `EAGAIN`.
  package static let wouldBlock = Errno(rawValue: EAGAIN)
  /// The corresponding C constant is `ENOMEM`.
  package static let outOfMemory = Errno(rawValue: ENOMEM)
  /// The corresponding C constant is `EACCES`.
  package static let accessDenied = Errno(rawValue: EACCES)
  /// The corresponding C constant is `EEXIST`.
  package static let alreadyExists = Errno(rawValue: EEXIST)
  /// The corresponding C constant is `EISDIR`.
  package static let isDirectory = Errno(rawValue: EISDIR)
  /// The corresponding C constant is `EINVAL`.
  package static let invalidArgument = Errno(rawValue: EINVAL)
  /// The corresponding C constant is `EFBIG`.
  package static let fileTooLarge = Errno(rawValue: EFBIG)
  /// The corresponding C constant is `ENOSPC`, which also says that a limit of namespaces is met.
  package static let noSpace = Errno(rawValue: ENOSPC)
  /// The corresponding C constant is `EPIPE`.
  package static let brokenPipe = Errno(rawValue: EPIPE)
  /// The corresponding C constant is `EOPNOTSUPP`.
  package static let notSupported = Errno(rawValue: EOPNOTSUPP)

  /// The corresponding C constant is `ENOBUFS`.
  package static let noBufferSpace = Errno(rawValue: ENOBUFS)
  /// The corresponding C constant is `EMSGSIZE`.
  package static let messageTooLong = Errno(rawValue: EMSGSIZE)
  /// The corresponding C constant is `ENETUNREACH`.
  package static let networkUnreachable = Errno(rawValue: ENETUNREACH)
  /// The corresponding C constant is `EHOSTUNREACH`.
  package static let hostUnreachable = Errno(rawValue: EHOSTUNREACH)
  /// The corresponding C constant is `ECONNRESET`.
  package static let connectionReset = Errno(rawValue: ECONNRESET)
  /// The corresponding C constant is `EPROTO`.
  package static let protocolError = Errno(rawValue: EPROTO)
  /// The corresponding C constant is `EADDRINUSE`.
  package static let addressInUse = Errno(rawValue: EADDRINUSE)
  /// The corresponding C constant is `EADDRNOTAVAIL`.
  package static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
  /// The corresponding C constant is `ECONNREFUSED`.
  package static let connectionRefused = Errno(rawValue: ECONNREFUSED)
  /// The corresponding C constant is `EMFILE`.
  package static let tooManyOpenFiles = Errno(rawValue: EMFILE)
  /// The corresponding C constant is `ENFILE`.
  package static let tooManyOpenFilesInSystem = Errno(rawValue: ENFILE)
  /// The corresponding C constant is `EHOSTDOWN`.
  package static let hostDown = Errno(rawValue: EHOSTDOWN)
  /// The corresponding C constant is `ENONET`.
  package static let notOnTheNetwork = Errno(rawValue: ENONET)
  /// The corresponding C constant is `ENOPROTOOPT`.
  package static let protocolNotAvailable = Errno(rawValue: ENOPROTOOPT)
  /// The corresponding C constant is `ETIMEDOUT`.
  package static let timedOut = Errno(rawValue: ETIMEDOUT)

  /// What the last call of this thread failed with.
  static var current: Errno { Errno(rawValue: errno) }
}

extension Errno: CustomStringConvertible {
  /// The kernel's words, first letter small: `permission denied`.
  package var description: String {
    guard let raw = unsafe strerror(rawValue) else { return "error \(rawValue)" }
    let words = unsafe String(cString: raw)
    return words.prefix(1).lowercased() + words.dropFirst()
  }
}

/// Calls until the call is not interrupted by a signal; a negative result is an error.
func retrying(_ call: () -> Int) throws(Errno) -> Int {
  while true {
    let result = call()
    if result >= 0 { return result }
    let error = Errno.current
    if error != .interrupted { throw error }
  }
}
