internal import Glibc

/// Whole files, in and out.
package enum Files {
  /// The bytes of a file.
  ///
  /// - Parameters:
  ///   - path: The file; pipes and devices are read to their end.
  ///   - limit: The most bytes that are taken, by default 4 GiB.
  /// - Returns: The bytes.
  /// - Throws: What the kernel refused; ``Errno/fileTooLarge`` where there is more than `limit`.
  package static func read(_ path: String, limit: Int = 1 << 32) throws(Errno) -> [UInt8] {
    try Descriptor(reading: path).readAll(limit: limit)
  }

  /// Whether a path leads to a program that this process may run.
  package static func isExecutable(_ path: String) -> Bool {
    var facts = stat()
    guard unsafe stat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return false }
    return unsafe access(path, X_OK) == 0
  }

  /// Who owns a file, and what it lets whom do.
  package struct Permissions: Hashable, Sendable {
    package var owner: UInt32
    /// The last nine bits are those of `chmod`.
    package var mode: UInt32
  }

  /// Makes a file that its owner alone can read.
  ///
  /// - Throws: ``Errno/alreadyExists`` where there is one of this name, or what else the kernel
  ///   refused.
  package static func createPrivate(_ path: String, holding bytes: [UInt8]) throws(Errno) {
    let raw = try retrying {
      Int(unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
    }
    try Descriptor(owning: CInt(raw)).write(bytes)
  }

  package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Whether a path leads to a file of bytes, and not to a pipe, a device or a folder; nil where it
  /// leads to nothing.
  ///
  /// The corresponding C function is `stat`.
  package static func isRegular(_ path: String) -> Bool? {
    var facts = stat()
    guard unsafe stat(path, &facts) == 0 else { return nil }
    return facts.st_mode & S_IFMT == S_IFREG
  }

  /// The files that a pattern stands for (`/etc/nftables.d/*.nft`), sorted, without folders.
  ///
  /// - Returns: The paths; none where a folder cannot be read, nil where memory is short.
  ///
  /// The corresponding C function is `glob`.
  package static func matching(_ pattern: String) -> [String]? {
    var found = unsafe glob_t()
    defer { unsafe globfree(&found) }
    switch unsafe glob(pattern, GLOB_MARK, nil, &found) {
    case 0: break
    case GLOB_NOMATCH: return []
    default: return nil
    }
    var paths: [String] = []
    for index in 0..<Int(unsafe found.gl_pathc) {
      guard let path = unsafe found.gl_pathv[index] else { continue }
      paths.append(unsafe String(cString: path))
    }
    return paths.filter { !$0.hasSuffix("/") }
  }

  /// Makes a folder, and those above it, where they are not there yet.
  ///
  /// - Throws: What the kernel refused.
  package static func makeFolders(_ path: String) throws(Errno) {
    var folder = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      folder += part
      do throws(Errno) {
        _ = try retrying { Int(unsafe mkdir(folder, 0o755)) }
      } catch {
        guard error == .alreadyExists else { throw error }
      }
      folder += "/"
    }
  }

  /// Puts `bytes` in place of a file: nobody ever sees half of it.
  ///
  /// The bytes go to a new file in the same folder, are forced to the disk and take the name with
  /// one step. Devices and pipes (`/dev/stdout`) are written to as they are.
  ///
  /// - Throws: What the kernel refused; the file is then as it was.
  package static func replace(_ path: String, with bytes: [UInt8]) throws(Errno) {
    let file = try ReplacementFile(for: path)
    try file.write(bytes)
    try file.commit()
  }

  /// Puts `bytes` in place of what a file holds, likewise; its permissions, its owner and links that
  /// lead to it stay as they are.
  ///
  /// - Throws: What the kernel refused, also where there is no such file; it is then as it was.
  package static func rewrite(_ path: String, with bytes: [UInt8]) throws(Errno) {
    let file = try ReplacementFile(rewriting: path)
    try file.write(bytes)
    try file.commit()
  }
}
