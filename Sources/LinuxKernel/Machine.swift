internal import Glibc

/// Facts about the machine and the process.
package enum Machine {
  /// The name of the host; empty where it has none.
  package static var hostname: String {
    name(of: \.nodename)
  }

  /// The release of the kernel: `6.1.0-13-amd64`.
  package static var kernelRelease: String {
    name(of: \.release)
  }

  private static func name<Field>(of field: KeyPath<utsname, Field>) -> String {
    var facts = utsname()
    guard unsafe uname(&facts) == 0 else { return "" }
    var value = facts[keyPath: field]
    return unsafe withUnsafeBytes(of: &value) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// The user that permissions are checked for; 0 is root.
  package static var effectiveUserID: UInt32 { geteuid() }
  package static var effectiveGroupID: UInt32 { getegid() }

  /// Whether this process may administer the network of its namespace (CAP_NET_ADMIN).
  ///
  /// Source: capabilities(7); `CapEff` of proc_pid_status(5).
  package static var mayAdministerNetwork: Bool { has(capability: 12) }

  /// Whether this process may make namespaces without a user namespace (CAP_SYS_ADMIN).
  static var mayMakeNamespaces: Bool { has(capability: 21) }

  static func has(capability: UInt64) -> Bool {
    guard let status = try? Files.read("/proc/thread-self/status", limit: 1 << 16) else {
      return false
    }
    for line in String(decoding: status, as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("CapEff:") {
      let digits = line.dropFirst(7).drop { $0 == "\t" || $0 == " " }
      return (UInt64(digits, radix: 16) ?? 0) & (1 << capability) != 0
    }
    return false
  }

  /// Whether a filter decides which system calls this process may make (seccomp(2), mode 2).
  ///
  /// Source: proc_pid_status(5), `Seccomp`.
  package static var hasSystemCallFilter: Bool {
    guard let status = try? Files.read("/proc/self/status", limit: 1 << 16) else { return false }
    return String(decoding: status, as: UTF8.self).split(separator: "\n").contains {
      $0.hasPrefix("Seccomp:") && $0.hasSuffix("2")
    }
  }

  /// A kernel setting as a number: `user.max_user_namespaces`; nil where the kernel lacks it.
  package static func setting(_ name: String) -> Int? {
    let path = "/proc/sys/" + name.split(separator: ".").joined(separator: "/")
    guard let bytes = try? Files.read(path, limit: 4096) else { return nil }
    return Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }

  /// The numbers of a kernel setting, of which `net/ipv4/ping_group_range` has two.
  ///
  /// The setting is a path below `/proc/sys`, as names of interfaces may hold dots; nil where the
  /// kernel lacks it.
  package static func numbers(of path: String) -> [Int]? {
    guard let bytes = try? Files.read("/proc/sys/" + path, limit: 4096) else { return nil }
    return String(decoding: bytes, as: UTF8.self).split { " \t\n".contains($0) }.compactMap {
      Int($0)
    }
  }

  /// Sets a kernel setting of this process's namespaces.
  ///
  /// - Parameters:
  ///   - path: The setting as a path below `/proc/sys`; names of interfaces may hold dots.
  ///   - value: What it becomes.
  /// - Throws: What the kernel refused.
  package static func set(_ path: String, to value: Int) throws(Errno) {
    let raw = try retrying { Int(unsafe open("/proc/sys/" + path, O_WRONLY | O_CLOEXEC)) }
    try Descriptor(owning: CInt(raw)).write(Array(String(value).utf8))
  }

  /// The value of an environment variable.
  package static func environment(_ name: String) -> String? {
    guard let raw = unsafe getenv(name) else { return nil }
    return unsafe String(cString: raw)
  }

  /// Sets an environment variable of this process.
  package static func setEnvironment(_ name: String, to value: String) {
    _ = unsafe setenv(name, value, 1)
  }

  /// The file that this program runs from, which stays the same when the file is replaced.
  package static let ownExecutable = "/proc/self/exe"

  /// Makes a file name absolute; nil where the folder of the process is gone.
  package static func absolutePath(_ path: String) -> String? {
    if path.hasPrefix("/") { return path }
    guard let raw = unsafe getcwd(nil, 0) else { return nil }
    defer { unsafe free(raw) }
    return unsafe String(cString: raw) + "/" + path
  }

  /// Changes the folder that relative names start from.
  ///
  /// - Throws: What `chdir(2)` failed with.
  package static func changeFolder(to path: String) throws(Errno) {
    _ = try retrying { Int(unsafe chdir(path)) }
  }

  /// Lets writing to a pipe that nobody reads fail instead of ending the process.
  package static func ignoreBrokenPipes() {
    _ = signal(SIGPIPE, SIG_IGN)
  }

  /// Ends the process.
  package static func exit(_ status: CInt) -> Never { Glibc.exit(status) }
}
