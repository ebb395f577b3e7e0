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
  /// The permissions and the owner that the file gets; mode 0644 and this process's where nil.
  private var kept: (mode: mode_t, user: uid_t, group: gid_t)?
  private let isPrivate: Bool

  /// - Parameters:
  ///   - path: The name that the file takes.
  ///   - isPrivate: Whether its owner alone may read it (mode 0600), and not everybody (0644).
  /// - Throws: What the kernel refused.
  package init(for path: String, isPrivate: Bool = false) throws(Errno) {
    self.path = path
    self.isPrivate = isPrivate
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

  /// Takes the place of a file that is there: its permissions stay, and so do links that lead to it;
  /// so does its owner where this process may give files away.
  ///
  /// - Throws: What the kernel refused, also where there is no such file.
  package init(rewriting path: String) throws(Errno) {
    var target = path
    _ = try retrying {
      guard let raw = unsafe realpath(path, nil) else { return -1 }
      defer { unsafe free(raw) }
      target = unsafe String(cString: raw)
      return 0
    }
    var facts = stat()
    _ = try retrying { Int(unsafe stat(target, &facts)) }
    try self.init(for: target)
    kept = (facts.st_mode & 0o7777, facts.st_uid, facts.st_gid)
  }

  deinit {
    if !temporary.isEmpty { _ = unsafe unlink(temporary) }
  }

  /// Writes all of `bytes` behind what is written.
  ///
  /// - Throws: What `write(2)` failed with.
  package borrowing func write(_ bytes: [UInt8]) throws(Errno) { try file.write(bytes) }

  /// Forces the bytes to the disk and gives them the name.
  ///
  /// - Throws: What the kernel refused; the file of that name is then as it was.
  package consuming func commit() throws(Errno) {
    guard !temporary.isEmpty else { return }
    // Changing the owner takes some permissions away.
    if let kept { _ = fchown(file.raw, kept.user, kept.group) }
    let mode = kept?.mode ?? (isPrivate ? 0o600 : 0o644)
    _ = try retrying { Int(fchmod(file.raw, mode)) }
    _ = try retrying { Int(fsync(file.raw)) }
    _ = try retrying { Int(unsafe rename(temporary, path)) }
    temporary = []
  }
}
