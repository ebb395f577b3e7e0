package import LinuxKernel

/// Where a responder gets its assignment and commands from: whoever drives it keeps it open.
package struct DrivingInput: ~Copyable {
  let descriptor: Descriptor
  private var lines = LineBuffer()
  /// Whether the driver is gone.
  private(set) var isEnded = false

  package init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// Has `sockets` tell by a number when something can be read.
  ///
  /// - Returns: Whether it will: a file can always be read.
  /// - Throws: What else `epoll_ctl(2)` failed with.
  borrowing func isWatched(
    by sockets: borrowing BoundSockets, as number: Int
  ) throws(Errno) -> Bool {
    do throws(Errno) {
      try sockets.watch(descriptor, as: number)
      return true
    } catch {
      guard error == .notPermitted else { throw error }
      return false
    }
  }

  /// The most bytes of a line.
  static let lineLimit = 8 << 20

  /// Waits for a line.
  ///
  /// - Returns: The line without its end; nil where the input ends before it has begun.
  /// - Throws: What `read(2)` failed with; ``Errno/messageTooLong`` where the line does not end.
  package mutating func line() throws(Errno) -> [UInt8]? {
    while true {
      if let line = lines.next() { return line }
      if isEnded {
        let rest = lines.rest()
        return rest.isEmpty ? nil : rest
      }
      try receive()
    }
  }

  /// Takes what can be read; waits where nothing can.
  ///
  /// - Throws: What ``line()`` throws.
  mutating func receive() throws(Errno) {
    var bytes: [UInt8] = []
    if try descriptor.read(1 << 16, into: &bytes) == 0 { isEnded = true }
    lines.append(bytes[...])
    // Only a line that does not end is too long.
    if lines.count > Self.lineLimit { throw .messageTooLong }
  }

  /// A line that has come already.
  mutating func receivedLine() -> [UInt8]? { lines.next() }
}
