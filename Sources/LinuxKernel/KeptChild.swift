internal import CLinuxShims
internal import Glibc

/// Another process that is spoken with, and ended with this value.
///
/// The child's standard input and output are one socket; what it writes to standard error is kept
/// until it is asked for.
package struct KeptChild: ~Copyable, Sendable {
  private let process: pid_t
  private let socket: Descriptor
  private let errors: Descriptor
  private var isEnded = false

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - executable: The program.
  ///   - arguments: What follows the program's name.
  /// - Throws: What starting it failed with.
  package init(_ executable: String, _ arguments: [String]) throws(Errno) {
    var ours: CInt = -1
    var theirs: CInt = -1
    let status = unsafe portproof_socket_pair(&ours, &theirs)
    guard status == 0 else { throw Errno(rawValue: status) }
    let socket = Descriptor(owning: ours)
    let other = Descriptor(owning: theirs)
    let errors = try Descriptor.memoryFile(holding: [])
    _ = try retrying { Int(fcntl(socket.raw, F_SETFL, O_NONBLOCK)) }
    process = try ChildProcess.spawn(
      executable, arguments, input: other.raw, output: other.raw, errors: errors.raw)
    self.socket = socket
    self.errors = errors
  }

  deinit {
    // Whoever else holds the socket has its end of it too, and so sees that nobody is here.
    _ = shutdown(socket.raw, CInt(SHUT_RDWR))
    if !isEnded { _ = try? Self.kill(process) }
  }

  /// What a child writes, for a thread of its own; it ends with the child and with the ``KeptChild``.
  package struct Reader: ~Copyable, Sendable {
    fileprivate let socket: Descriptor

    /// Waits for what the child writes.
    ///
    /// - Parameter limit: The most bytes that are taken.
    /// - Returns: The bytes; none at the end.
    /// - Throws: What `read(2)` failed with.
    package borrowing func read(_ limit: Int) throws(Errno) -> [UInt8] {
      var bytes: [UInt8] = []
      while true {
        do throws(Errno) {
          _ = try socket.read(limit, into: &bytes)
          return bytes
        } catch  where error == .wouldBlock {
          var waiting = pollfd(fd: socket.raw, events: CShort(POLLIN), revents: 0)
          _ = try retrying { Int(unsafe poll(&waiting, 1, -1)) }
        }
      }
    }
  }

  /// A second way to what the child writes; whoever has it takes ``receive(_:until:)``'s place.
  ///
  /// - Throws: What `fcntl(2)` failed with.
  package borrowing func reader() throws(Errno) -> Reader {
    let raw = socket.raw
    return Reader(
      socket: Descriptor(owning: CInt(try retrying { Int(fcntl(raw, F_DUPFD_CLOEXEC, 3)) })))
  }

  /// The last bytes, at most `limit`, that the child has written to standard error so far; none where
  /// they cannot be read.
  package borrowing func recentErrors(_ limit: Int) -> [UInt8] {
    var facts = stat()
    guard unsafe fstat(errors.raw, &facts) == 0 else { return [] }
    let start = max(0, Int(facts.st_size) - limit)
    var bytes = [UInt8](repeating: 0, count: min(limit, Int(facts.st_size)))
    let count = unsafe pread(errors.raw, &bytes, bytes.count, start)
    return Array(bytes.prefix(max(0, count)))
  }

  /// The number of the process.
  package var processID: Int32 { process }

  /// Writes all of `bytes` to the child.
  ///
  /// - Throws: ``Errno/timedOut`` where it did not take them by `deadline`, a moment of
  ///   ``Clocks/monotonic``; ``Errno/brokenPipe`` where it has ended.
  package borrowing func send(_ bytes: [UInt8], until deadline: Duration) throws(Errno) {
    var offset = 0
    let raw = socket.raw
    while offset < bytes.count {
      do throws(Errno) {
        offset += try retrying {
          unsafe bytes.withUnsafeBytes { all in
            unsafe Glibc.send(
              raw, all.baseAddress?.advanced(by: offset), all.count - offset, CInt(MSG_NOSIGNAL))
          }
        }
      } catch  where error == .wouldBlock {
        try wait(for: POLLOUT, until: deadline)
      }
    }
  }

  /// Reads `count` bytes from the child.
  ///
  /// - Throws: ``Errno/timedOut`` where they did not come by `deadline`, a moment of
  ///   ``Clocks/monotonic``; ``Errno/brokenPipe`` where it has ended.
  package borrowing func receive(_ count: Int, until deadline: Duration) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      do throws(Errno) {
        if try socket.read(count - bytes.count, into: &bytes) == 0 { throw .brokenPipe }
      } catch  where error == .wouldBlock {
        try wait(for: POLLIN, until: deadline)
      } catch  where error == .connectionReset {
        throw .brokenPipe
      }
    }
    return bytes
  }

  private borrowing func wait(for events: CInt, until deadline: Duration) throws(Errno) {
    let left = deadline - Clocks.monotonic
    guard left > .zero else { throw .timedOut }
    var waiting = pollfd(fd: socket.raw, events: CShort(events), revents: 0)
    let milliseconds = CInt(min(left.seconds * 1000 + 1, 1_000_000))
    _ = try retrying { Int(unsafe poll(&waiting, 1, milliseconds)) }
  }

  /// Ends the child, if it has not ended by itself, and waits until it is gone.
  ///
  /// - Parameter isStopped: Whether it may still be at work, and is to be killed.
  /// - Returns: How it ended, and what it wrote to standard error.
  /// - Throws: What waiting for it failed with.
  package consuming func end(
    isStopped: Bool
  ) throws(Errno) -> (ending: ChildProcess.Ending, errors: [UInt8]) {
    isEnded = true
    let ending = isStopped ? try Self.kill(process) : try ChildProcess.wait(for: process)
    _ = try retrying { Int(lseek(errors.raw, 0, SEEK_SET)) }
    return (ending, try errors.readAll(limit: 1 << 24))
  }

  private static func kill(_ process: pid_t) throws(Errno) -> ChildProcess.Ending {
    _ = Glibc.kill(process, SIGKILL)
    return try ChildProcess.wait(for: process)
  }
}

extension ChildProcess {
  /// The half of the child of a ``KeptChild``: what its standard streams were.
  package struct Peer: ~Copyable {
    private let input: Descriptor
    private let output: Descriptor

    /// Takes standard input and output over; what is written to the latter from now on goes to
    /// standard error.
    ///
    /// - Throws: What the kernel refused.
    package init() throws(Errno) {
      let input = Descriptor(owning: CInt(try retrying { Int(fcntl(0, F_DUPFD_CLOEXEC, 3)) }))
      let output = Descriptor(owning: CInt(try retrying { Int(fcntl(1, F_DUPFD_CLOEXEC, 3)) }))
      _ = try retrying { Int(dup2(2, 1)) }
      self.input = input
      self.output = output
    }

    /// From now on the process ends as soon as its parent has closed its end, or is gone.
    ///
    /// A thread of its own sees to it, so what a process may do with one thread alone comes before.
    ///
    /// - Throws: What starting the thread failed with.
    package borrowing func endWithParent() throws(Errno) {
      let status = portproof_end_with_peer(input.raw, output.raw)
      guard status == 0 else { throw Errno(rawValue: status) }
    }

    /// Reads `count` bytes; nil where the parent has closed its end.
    ///
    /// - Throws: What `read(2)` failed with.
    package borrowing func read(_ count: Int) throws(Errno) -> [UInt8]? {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count)
      while bytes.count < count {
        if try input.read(count - bytes.count, into: &bytes) == 0 { return nil }
      }
      return bytes
    }

    /// Writes all of `bytes`.
    ///
    /// - Throws: What `write(2)` failed with.
    package borrowing func write(_ bytes: [UInt8]) throws(Errno) { try output.write(bytes) }
  }

  /// Limits the memory of this process, and lets it leave no core file.
  ///
  /// - Parameter memory: The most address space, in bytes.
  /// - Throws: What the kernel refused.
  package static func limitThisProcess(memory: UInt64) throws(Errno) {
    let status = portproof_limit_memory(memory)
    guard status == 0 else { throw Errno(rawValue: status) }
  }
}
