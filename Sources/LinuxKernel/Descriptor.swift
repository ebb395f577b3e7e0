internal import CLinuxShims
internal import Glibc

/// An open file, pipe or socket, closed when the value ends.
package struct Descriptor: ~Copyable, Sendable {
  let raw: CInt

  /// Takes over a descriptor that nobody else closes.
  init(owning raw: CInt) { self.raw = raw }

  deinit { _ = Glibc.close(raw) }

  /// Opens a file for reading.
  ///
  /// - Throws: What `open(2)` failed with.
  package init(reading path: String) throws(Errno) {
    let result = try retrying { Int(unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)) }
    raw = CInt(result)
  }

  /// Opens a file for writing, empty, and makes it where it is not there.
  ///
  /// - Throws: What `open(2)` failed with.
  package init(creating path: String) throws(Errno) {
    let result = try retrying {
      Int(unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644))
    }
    raw = CInt(result)
  }

  /// Who owns the file, and what it lets whom do.
  ///
  /// - Throws: What `fstat(2)` failed with.
  package borrowing func permissions() throws(Errno) -> Files.Permissions {
    var facts = stat()
    let raw = raw
    _ = try retrying { Int(unsafe fstat(raw, &facts)) }
    return Files.Permissions(owner: facts.st_uid, mode: facts.st_mode)
  }

  /// A pipe: what is written to one end is read from the other.
  ///
  /// - Throws: What `pipe2(2)` failed with.
  package static func pipe() throws(Errno) -> Pipe {
    var reader: CInt = -1
    var writer: CInt = -1
    let status = unsafe portproof_pipe(&reader, &writer, CInt(pipeSize))
    guard status == 0 else { throw Errno(rawValue: status) }
    return Pipe(reader: Descriptor(owning: reader), writer: Descriptor(owning: writer))
  }

  /// A file without a name that holds `bytes`, to be read from its start.
  ///
  /// - Throws: What `memfd_create(2)` or writing failed with.
  package static func memoryFile(holding bytes: [UInt8]) throws(Errno) -> Descriptor {
    var raw: CInt = -1
    let status = unsafe portproof_memory_file(&raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    let file = Descriptor(owning: raw)
    try file.write(bytes)
    _ = try retrying { Int(lseek(file.raw, 0, SEEK_SET)) }
    return file
  }

  /// A path that opens the same file again, from its start, as long as this descriptor is open.
  package var path: String { "/proc/self/fd/\(raw)" }

  /// How much a pipe holds, where the system allows it.
  static let pipeSize = 1 << 18

  /// The two ends of a pipe.
  package struct Pipe: ~Copyable, Sendable {
    package var reader: Descriptor
    package var writer: Descriptor

    /// Closes the writing end and gives the other.
    consuming func closingWriter() -> Descriptor { reader }
  }

  /// Reads what is there, at most `count` bytes, onto the end of `bytes`.
  ///
  /// - Returns: How many bytes came; 0 at the end.
  /// - Throws: What `read(2)` failed with.
  package borrowing func read(_ count: Int, into bytes: inout [UInt8]) throws(Errno) -> Int {
    let raw = raw
    let start = bytes.count
    // Room is made once and filled by the kernel, without a buffer between.
    bytes.append(contentsOf: repeatElement(0, count: count))
    do throws(Errno) {
      let got = try retrying {
        unsafe bytes.withUnsafeMutableBytes { all in
          unsafe Glibc.read(raw, all.baseAddress?.advanced(by: start), count)
        }
      }
      bytes.removeLast(count - got)
      return got
    } catch {
      bytes.removeLast(count)
      throw error
    }
  }

  /// Everything up to the end.
  ///
  /// - Parameter limit: The most bytes that are taken.
  /// - Returns: The bytes.
  /// - Throws: What `read(2)` failed with; ``Errno/fileTooLarge`` where there is more than `limit`.
  package borrowing func readAll(limit: Int) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(expectedSize + 1)
    var step = max(expectedSize + 1, 1 << 16)
    while true {
      if try read(step, into: &bytes) == 0 { return bytes }
      if bytes.count > limit { throw .fileTooLarge }
      step = max(1 << 16, bytes.capacity - bytes.count)
    }
  }

  /// The size of a regular file; 0 for everything else.
  private var expectedSize: Int {
    var facts = stat()
    guard unsafe fstat(raw, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return 0 }
    return Int(facts.st_size)
  }

  /// Writes all of `bytes`.
  ///
  /// - Throws: What `write(2)` failed with.
  package borrowing func write(_ bytes: [UInt8]) throws(Errno) {
    try writeAll(bytes, to: raw)
  }
}

/// Writes until everything is written.
func writeAll(_ bytes: [UInt8], to raw: CInt) throws(Errno) {
  var offset = 0
  while offset < bytes.count {
    offset += try retrying {
      unsafe bytes.withUnsafeBytes { all in
        unsafe Glibc.write(raw, all.baseAddress?.advanced(by: offset), all.count - offset)
      }
    }
  }
}

/// The streams that every process is given.
package enum StandardStream: CInt, Sendable {
  case input = 0
  case output = 1
  case error = 2

  /// Writes all of `text`.
  ///
  /// - Throws: What `write(2)` failed with; ``Errno/brokenPipe`` where nobody reads any more.
  package func write(_ text: String) throws(Errno) {
    try writeAll(Array(text.utf8), to: rawValue)
  }

  /// Writes all of `bytes`.
  ///
  /// - Throws: What `write(2)` failed with.
  package func write(_ bytes: [UInt8]) throws(Errno) { try writeAll(bytes, to: rawValue) }

  /// Everything up to the end of the stream.
  ///
  /// - Parameter limit: The most bytes that are taken.
  /// - Returns: The bytes.
  /// - Throws: What `read(2)` failed with; ``Errno/fileTooLarge`` where there is more than `limit`.
  package func readAll(limit: Int) throws(Errno) -> [UInt8] {
    try duplicate().readAll(limit: limit)
  }

  /// The stream once more, under a descriptor of its own.
  ///
  /// - Throws: What `fcntl(2)` failed with.
  package func duplicate() throws(Errno) -> Descriptor {
    Descriptor(owning: CInt(try retrying { Int(fcntl(rawValue, F_DUPFD_CLOEXEC, 3)) }))
  }

  /// Whether a person sits at the other end.
  package var isTerminal: Bool { isatty(rawValue) == 1 }
}
