import Foundation

/// nft in a network namespace of its own, which goes away with the command.
package enum Kernel {
  /// Loads `text` into a fresh namespace and returns what nft lists.
  package static func listing(of text: String, options: String = "-j") throws -> [UInt8] {
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).nft")
    try text.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    return try run(
      "ip link set lo up; nft -f \(file.path) && nft \(options) list ruleset", isInNamespace: true)
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// What this machine allows: root makes a namespace at once, others need a user namespace.
  private static let unshare: String? = {
    for words in ["unshare -n", "unshare -rn"]
    where (try? run("\(words) nft list ruleset", isInNamespace: false)) != nil {
      return words
    }
    return nil
  }()

  package static let isUsable = unshare != nil || ProcessInfo.processInfo.environment["CI"] != nil

  @discardableResult
  private static func run(_ command: String, isInNamespace: Bool) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.environment = ["PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "TZ": "UTC"]
    let words = isInNamespace ? "\(unshare ?? "unshare -n") sh -c '\(command)'" : command
    process.arguments = ["-c", words]
    let output = Pipe()
    let errors = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).err")
    _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
    defer { try? FileManager.default.removeItem(at: errors) }
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: (try? String(contentsOf: errors, encoding: .utf8)) ?? "")
    }
    return [UInt8](data)
  }
}
