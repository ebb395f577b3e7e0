internal import CLinuxShims

/// What this process may do that others may not.
package enum Privileges {
  /// Gives up every capability of this thread, and of the threads and programs that it starts.
  ///
  /// Sockets that are open stay so. It cannot be taken back; the user stays the same.
  ///
  /// - Throws: What `capset(2)` or `prctl(2)` failed with.
  package static func dropPrivileges() throws(Errno) {
    let status = portproof_drop_capabilities()
    guard status == 0 else { throw Errno(rawValue: status) }
  }

  /// Whether this thread's process may send and see raw packets (CAP_NET_RAW).
  package static var maySendRaw: Bool { Machine.has(capability: 13) }

  /// Raises the number of descriptors that this process may have open.
  ///
  /// - Parameter wanted: More than the system allows becomes what it allows.
  /// - Returns: How many it may have.
  /// - Throws: What `getrlimit(2)` failed with.
  package static func raiseDescriptorLimit(to wanted: Int) throws(Errno) -> Int {
    var limit: UInt64 = 0
    let status = unsafe portproof_raise_descriptor_limit(UInt64(wanted), &limit)
    guard status == 0 else { throw Errno(rawValue: status) }
    return Int(clamping: limit)
  }
}
