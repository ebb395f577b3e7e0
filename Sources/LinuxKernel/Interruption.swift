internal import CLinuxShims

/// Ctrl-C and `kill`, as something to ask for instead of something that happens.
///
/// Work that can take long asks between its steps, and ends by itself with its reports written. Who
/// does not want to wait for that interrupts a second time, which ends the process at once.
package enum Interruption {
  /// Takes SIGINT and SIGTERM from now on, for the rest of the process.
  ///
  /// - Throws: What starting the thread that waits for them failed with.
  package static func watch() throws(Errno) {
    let status = portproof_watch_interruptions()
    guard status == 0 else { throw Errno(rawValue: status) }
  }

  /// Whether someone has asked the process to end.
  package static var isRequested: Bool { portproof_interruptions() > 0 }
}
