internal import CLinuxShims
internal import Glibc

/// Another process, run to its end.
package enum ChildProcess {
  /// What became of a child.
  package struct Output: Sendable {
    package var ending: Ending
    /// What it wrote to standard output and standard error.
    package var output: [UInt8]
    package var errors: [UInt8]

    package init(ending: Ending, output: [UInt8], errors: [UInt8]) {
      self.ending = ending
      self.output = output
      self.errors = errors
    }
  }

  package enum Ending: Hashable, Sendable {
    case exited(CInt)
    /// Ended by a signal: a crash, or someone's `kill`.
    case signalled(CInt)
    /// Ended by us, as it took longer than it was given.
    case timedOut
    /// Ended by us, as it wrote more than it was given.
    case wroteTooMuch
  }

  /// Runs a program and gathers what it writes.
  ///
  /// The child has ended and is gone when the function returns.
  ///
  /// - Parameters:
  ///   - executable: The program.
  ///   - arguments: What follows the program's name.
  ///   - input: What the child can read from standard input.
  ///   - timeout: After this the child is killed.
  ///   - limit: The most bytes that it may write to standard output.
  /// - Returns: How it ended, and what it wrote.
  /// - Throws: What starting it, or reading from it, failed with.
  package static func run(
    _ executable: String, _ arguments: [String], input: [UInt8] = [], timeout: Duration, limit: Int
  ) throws(Errno) -> Output {
    // A file rather than a pipe: the child reads when it likes, and may end without reading.
    let inputFile = try Descriptor.memoryFile(holding: input)
    let outputPipe = try Descriptor.pipe()
    let errorPipe = try Descriptor.pipe()
    let child = try spawn(
      executable, arguments, input: inputFile.raw, output: outputPipe.writer.raw,
      errors: errorPipe.writer.raw)
    // Without this the ends that the child holds would not be the last ones.
    let output = outputPipe.closingWriter()
    let errors = errorPipe.closingWriter()

    var result = Output(ending: .exited(0), output: [], errors: [])
    let interference: Ending?
    do throws(Errno) {
      interference = try gather(
        output, errors, into: &result, until: Clocks.monotonic + timeout, limit: limit)
    } catch {
      _ = kill(child, SIGKILL)
      _ = try wait(for: child)
      throw error
    }
    if interference != nil { _ = kill(child, SIGKILL) }
    let ending = try wait(for: child)
    result.ending = interference ?? ending
    return result
  }

  static func spawn(
    _ executable: String, _ arguments: [String], input: CInt, output: CInt, errors: CInt
  ) throws(Errno) -> pid_t {
    var strings: [UnsafeMutablePointer<CChar>?] = unsafe []
    for text in [executable] + arguments { unsafe strings.append(strdup(text)) }
    unsafe strings.append(nil)
    defer { unsafe strings.forEach { unsafe free($0) } }
    var child: CInt = 0
    let status = unsafe portproof_spawn(executable, strings, input, output, errors, &child)
    guard status == 0 else { throw Errno(rawValue: status) }
    return child
  }

  /// Reads both streams until both have ended.
  ///
  /// - Returns: Why the child must be stopped, or nil where it came to its own end.
  private static func gather(
    _ output: borrowing Descriptor, _ errors: borrowing Descriptor, into result: inout Output,
    until deadline: Duration, limit: Int
  ) throws(Errno) -> Ending? {
    var isOutputOpen = true
    var areErrorsOpen = true
    while isOutputOpen || areErrorsOpen {
      let left = deadline - Clocks.monotonic
      guard left > .zero else { return .timedOut }
      var waiting = [
        pollfd(fd: isOutputOpen ? output.raw : -1, events: CShort(POLLIN), revents: 0),
        pollfd(fd: areErrorsOpen ? errors.raw : -1, events: CShort(POLLIN), revents: 0),
      ]
      let milliseconds = CInt(min(left.seconds * 1000 + 1, 1_000_000))
      _ = try retrying { Int(unsafe poll(&waiting, 2, milliseconds)) }
      if waiting[0].revents != 0 {
        isOutputOpen = try output.read(Descriptor.pipeSize, into: &result.output) > 0
        if result.output.count > limit { return .wroteTooMuch }
      }
      if waiting[1].revents != 0 {
        areErrorsOpen = try errors.read(Descriptor.pipeSize, into: &result.errors) > 0
        if result.errors.count > errorLimit { return .wroteTooMuch }
      }
    }
    return nil
  }

  static func wait(for child: pid_t) throws(Errno) -> Ending {
    var status: CInt = 0
    _ = try retrying { Int(unsafe waitpid(child, &status, 0)) }
    var value: CInt = 0
    return unsafe portproof_decode_status(status, &value) == 0
      ? .exited(value) : .signalled(value)
  }

  private static let errorLimit = 1 << 24

  /// Keeps this process on the processor that it runs on.
  ///
  /// What the kernel queues for later then stays in the order in which it was queued.
  ///
  /// - Throws: What `sched_setaffinity(2)` failed with.
  package static func stayOnThisProcessor() throws(Errno) {
    let status = portproof_stay_on_this_processor()
    guard status == 0 else { throw Errno(rawValue: status) }
  }

  /// Makes this process a child that cannot outlive its parent nor take the machine down.
  ///
  /// - Parameters:
  ///   - memory: The most address space, in bytes.
  ///   - processorSeconds: The most processor time.
  /// - Throws: What the kernel refused.
  package static func confineThisProcess(
    memory: UInt64, processorSeconds: UInt64
  ) throws(Errno) {
    for status in [
      portproof_die_with_parent(), portproof_limit_resources(memory, processorSeconds),
    ] where status != 0 {
      throw Errno(rawValue: status)
    }
  }
}
