import Foundation
import LinuxKernel
import Testing

@Suite("Files")
struct FilesTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = NSTemporaryDirectory() + "/portproof-files-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  @Test func `regular files are told from others, and from none`() throws {
    let file = NSTemporaryDirectory() + "/portproof-regular-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: file) }
    try Files.replace(file, with: [1])
    #expect(Files.isRegular(file) == true)
    #expect(Files.isRegular("/dev/null") == false)
    #expect(Files.isRegular("/") == false)
    #expect(Files.isRegular("/nowhere/at/all") == nil)
  }

  @Test func `a replaced file has the new bytes, mode 0644 and no neighbours`() throws {
    try withFolder { (folder: String) throws in
      let path = folder + "/report.json"
      try Files.replace(path, with: Array("old".utf8))
      try Files.replace(path, with: Array("new".utf8))
      #expect(try Files.read(path) == Array("new".utf8))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["report.json"])
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o644)
    }
  }

  @Test func `a rewritten file keeps its permissions and the links that lead to it`() throws {
    try withFolder { (folder: String) throws in
      let (path, link) = (folder + "/cluster.scn", folder + "/link.scn")
      try Files.replace(path, with: Array("old".utf8))
      try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
      try FileManager.default.createSymbolicLink(
        atPath: link, withDestinationPath: "cluster.scn")
      try Files.rewrite(link, with: Array("new".utf8))
      #expect(try Files.read(path) == Array("new".utf8))
      #expect(
        try FileManager.default.destinationOfSymbolicLink(atPath: link) == "cluster.scn")
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o640)
      #expect(throws: Errno.noSuchFile) { try Files.rewrite(folder + "/none", with: [1]) }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
          == ["cluster.scn", "link.scn"])
    }
  }

  @Test func `where the name cannot be taken nothing is left behind`() throws {
    try withFolder { (folder: String) throws in
      #expect(throws: Errno.noSuchFile) {
        try Files.replace(folder + "/missing/report.json", with: [1])
      }
      #expect(throws: Errno.isDirectory) { try Files.replace(folder, with: [1]) }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.isEmpty)
    }
  }

  @Test func `a pattern stands for files in order, not for folders or hidden files`() throws {
    try withFolder { (folder: String) throws in
      for name in ["b.nft", "a.nft", "B.nft", ".h.nft", "c.conf"] {
        try Files.replace(folder + "/" + name, with: [1])
      }
      try FileManager.default.createDirectory(
        atPath: folder + "/d.nft", withIntermediateDirectories: false)
      #expect(
        Files.matching(folder + "/*.nft")
          == ["B.nft", "a.nft", "b.nft"].map { "\(folder)/\($0)" })
      #expect(Files.matching(folder + "/c.conf") == [folder + "/c.conf"])
      #expect(Files.matching(folder + "/x.conf") == [])
      #expect(Files.matching(folder + "/missing/*") == [])
    }
  }

  @Test func `a device is written to as it is`() throws {
    try Files.replace("/dev/null", with: [1, 2, 3])
    #expect(Files.exists("/dev/null"))
  }

  @Test func `reading stops at the limit`() throws {
    #expect(throws: Errno.fileTooLarge) { try Files.read("/dev/zero", limit: 1 << 20) }
  }

  @Test func `errors use the kernel's words`() {
    #expect(Errno.noSuchFile.description == "no such file or directory")
  }
}
