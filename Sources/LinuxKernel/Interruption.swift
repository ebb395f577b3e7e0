internal import CLinuxShims
internal import Glibc

/// Ctrl-C and `kill`, as something to ask for instead of something that happens.
///
/// While the value lives, SIGINT and SIGTERM wait in it. Work that can take long asks between its
/// steps, and ends by itself.
package struct Interruption: ~Copyable {
  private let descriptor: Descriptor

  /// - Throws: What `signalfd(2)` failed with.
  package init() throws(Errno) {
    let raw = portproof_open_interruptions()
    guard raw >= 0 else { throw Errno.current }
    descriptor = Descriptor(owning: raw)
  }

  /// Whether someone has asked the process to end.
  package borrowing func isRequested() -> Bool {
    var waiting = pollfd(fd: descriptor.raw, events: CShort(POLLIN), revents: 0)
    return unsafe poll(&waiting, 1, 0) > 0
  }
}
