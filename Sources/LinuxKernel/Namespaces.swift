internal import CLinuxShims
internal import Glibc

/// Namespaces of this process: what it is cut off from.
///
/// A process that enters one does not find back to that of the machine, so it is for children only.
package enum Namespaces {
  package enum EntryError: Hashable, Sendable, Error {
    /// The kernel, or a rule of the system, does not let this user make a user namespace.
    case userNamespaceRefused(Errno)
    case networkNamespaceRefused(Errno)
    /// The user could not be mapped into the new namespace.
    case mappingRefused(file: String, Errno)
  }

  /// Enters a new network namespace, empty but for a loopback that is down.
  ///
  /// A process that may not do so by itself enters a new user namespace first, in which its user
  /// is root.
  ///
  /// - Throws: ``EntryError`` with the step that was refused.
  package static func enterNetworkNamespace() throws(EntryError) {
    let direct = portproof_unshare_network()
    if direct == 0 { return }
    guard direct == EPERM else { throw .networkNamespaceRefused(Errno(rawValue: direct)) }
    try enterUserNamespace()
    let status = portproof_unshare_network()
    guard status == 0 else {
      // AppArmor lets the user namespace be made and takes its capabilities away.
      throw .networkNamespaceRefused(Errno(rawValue: status))
    }
  }

  /// Enters a new user namespace, in which the user is root and has every capability.
  ///
  /// - Throws: ``EntryError`` with the step that was refused.
  package static func enterUserNamespace() throws(EntryError) {
    let user = Machine.effectiveUserID
    let group = Machine.effectiveGroupID
    let status = portproof_unshare_user()
    guard status == 0 else { throw .userNamespaceRefused(Errno(rawValue: status)) }
    // user_namespaces(7): the group map needs setgroups to be denied first.
    try write("deny", to: "/proc/self/setgroups")
    try write("0 \(group) 1", to: "/proc/self/gid_map")
    try write("0 \(user) 1", to: "/proc/self/uid_map")
  }

  /// Enters a new user namespace where this process may not make network namespaces without one.
  ///
  /// - Throws: ``EntryError`` with the step that was refused.
  package static func enterUserNamespaceIfNeeded() throws(EntryError) {
    if !Machine.mayMakeNamespaces { try enterUserNamespace() }
  }

  /// Enters a new network namespace, empty but for a loopback that is down.
  ///
  /// It can be done again and again: what the process no longer holds of the last one, by a
  /// ``Network`` or a socket, vanishes.
  ///
  /// - Throws: ``EntryError/networkNamespaceRefused(_:)``.
  package static func enterAnotherNetworkNamespace() throws(EntryError) {
    let status = portproof_unshare_network()
    guard status == 0 else { throw .networkNamespaceRefused(Errno(rawValue: status)) }
  }

  /// A network namespace that this process has made and may enter again.
  package struct Network: ~Copyable {
    private let door: Descriptor

    /// The network namespace in which this thread is.
    ///
    /// - Throws: What `open(2)` failed with.
    package init() throws(Errno) {
      door = try Descriptor(reading: "/proc/thread-self/ns/net")
    }

    /// Has this thread enter it.
    ///
    /// - Throws: What `setns(2)` failed with.
    package borrowing func enter() throws(Errno) {
      let status = portproof_enter_network(door.raw)
      guard status == 0 else { throw Errno(rawValue: status) }
    }
  }

  private static func write(_ text: String, to file: String) throws(EntryError) {
    do throws(Errno) {
      let raw = try retrying { Int(unsafe open(file, O_WRONLY | O_CLOEXEC)) }
      try Descriptor(owning: CInt(raw)).write(Array(text.utf8))
    } catch {
      throw .mappingRefused(file: file, error)
    }
  }

  /// Adds an interface called `name` to the network namespace of this process.
  ///
  /// It carries no packets: it is there so that rules can name it.
  ///
  /// - Throws: What the kernel refused for the last kind of interface that was tried.
  package static func addInterface(_ name: String) throws(Errno) {
    var error = Errno.notSupported
    for kind in ["dummy", "veth", "bridge"] {
      let status = unsafe portproof_add_interface(name, kind)
      if status == 0 || status == EEXIST { return }
      error = Errno(rawValue: status)
    }
    throw error
  }
}
