internal import CLinuxShims
internal import Glibc

/// Bytes on their way to a reader that may be slow: whoever writes them never waits for it.
package struct OutputQueue: ~Copyable {
  private let descriptor: Descriptor
  private let limit: Int
  private var bytes: [UInt8] = []
  /// How many of ``bytes`` the reader has.
  private var written = 0

  /// - Parameters:
  ///   - descriptor: Where the bytes go.
  ///   - limit: The most bytes that wait.
  package init(to descriptor: consuming Descriptor, limit: Int = 64 << 20) {
    self.descriptor = descriptor
    self.limit = limit
  }

  /// How many bytes wait.
  package var count: Int { bytes.count - written }

  /// Queues bytes, all or none of them.
  ///
  /// - Parameters:
  ///   - more: The bytes.
  ///   - isForced: Whether they are queued even where there is no more room: for the little that must
  ///     be said.
  /// - Returns: Whether there was room.
  package mutating func append(_ more: [UInt8], isForced: Bool = false) -> Bool {
    guard isForced || count + more.count <= limit else { return false }
    bytes += more
    return true
  }

  /// Writes what the reader takes without making this process wait.
  ///
  /// - Throws: ``Errno/brokenPipe`` where nobody reads any more; what `write(2)` failed with.
  package mutating func flush() throws(Errno) { try flush(milliseconds: 0) }

  /// Writes until nothing waits.
  ///
  /// - Parameter deadline: A moment of ``Clocks/monotonic`` at which it gives up.
  /// - Throws: ``Errno/timedOut``, and what ``flush()`` throws.
  package mutating func flush(until deadline: Duration) throws(Errno) {
    while count > 0 {
      let left = deadline - Clocks.monotonic
      guard left > .zero else { throw .timedOut }
      try flush(milliseconds: CInt(min(left.seconds * 1000 + 1, 1_000_000)))
    }
  }

  private mutating func flush(milliseconds: CInt) throws(Errno) {
    var patience = milliseconds
    while count > 0 {
      switch portproof_is_writable(descriptor.raw, patience) {
      case 0: return settle()
      case -1: throw .brokenPipe
      default: patience = 0
      }
      // pipe(7): so many fit where there is room at all.
      let part = min(count, 4096)
      let (raw, start) = (descriptor.raw, written)
      written += try retrying {
        unsafe bytes.withUnsafeBytes { all in
          unsafe Glibc.write(raw, all.baseAddress?.advanced(by: start), part)
        }
      }
    }
    settle()
  }

  /// Forgets what is written, where that is most of it.
  private mutating func settle() {
    guard written > bytes.count / 2 else { return }
    bytes.removeFirst(written)
    written = 0
  }
}
