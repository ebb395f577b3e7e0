internal import CLinuxShims

/// Waiting for several sockets at once.
package enum Waiting {
  /// Waits until one of the descriptors can be read or has failed, or for as long as it is given.
  ///
  /// A signal may end it early.
  ///
  /// - Precondition: There are at most 64.
  /// - Throws: What `ppoll(2)` failed with.
  package static func forAny(
    of descriptors: [CInt], nanoseconds: Int64
  ) throws(Errno) {
    let status = unsafe portproof_wait_readable(descriptors, descriptors.count, nanoseconds)
    guard status == 0 else { throw Errno(rawValue: status) }
  }
}
