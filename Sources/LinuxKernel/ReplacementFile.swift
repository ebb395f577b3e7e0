internal import CLinuxShims
internal import Glibc

/// A file that is written piece by piece and takes the place of another with one step.
///
/// Until then the bytes stand in a file without a lasting name in the same folder; it is removed
/// where the value ends before ``commit()``. Devices and pipes (`/dev/stdout`) are written to as
/// they are.
package struct ReplacementFile: ~Copyable {
  private let file: Descriptor
  private let path: String
  /// The file's name, as C wants it; empty where the bytes go straight to a device.
  private var temporary: [CChar]

  /// - Throws: What the kernel refused.
  package init(for path: String) throws(Errno) {
    self.path = path
    var facts = stat()
    if unsafe stat(path, &facts) == 0, facts.st_mode & S_IFMT != S_IFREG {
      if facts.st_mode & S_IFMT == S_IFDIR { throw .isDirectory }
      let raw = try retrying { Int(unsafe open(path, O_WRONLY | O_CLOEXEC)) }
      file = Descriptor(owning: CInt(raw))
      temporary = []
      return
    }
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    var template = Array("\(folder).portproof-XXXXXX".utf8CString)
    let raw = try retrying {
      unsafe template.withUnsafeMutableBufferPointer { buffer in
        Int(unsafe portproof_make_temporary(buffer.baseAddress))
      }
    }
    file = Descriptor(owning: CInt(raw))
    temporary = template
  }

  deinit {
    if !temporary.isEmpty { _ = unsafe unlink(temporary) }
  }

  /// Writes all of `bytes` behind what is written.
  ///
  /// - Throws: What `write(2)` failed with.
  package borrowing func write(_ bytes: [UInt8]) throws(Errno) { try file.write(bytes) }

  /// Forces the bytes to the disk and gives them the name, with mode 0644.
  ///
  /// - Throws: What the kernel refused; the file of that name is then as it was.
  package consuming func commit() throws(Errno) {
    guard !temporary.isEmpty else { return }
    _ = try retrying { Int(fchmod(file.raw, 0o644)) }
    _ = try retrying { Int(fsync(file.raw)) }
    _ = try retrying { Int(unsafe rename(temporary, path)) }
    temporary = []
  }
}
