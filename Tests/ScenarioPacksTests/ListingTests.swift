import Foundation
import LinuxKernel
import Testing

@Suite("The rulesets of the packs")
struct ListingTests {
  /// How a namespace is made here: root makes one at once, others need a user namespace too.
  static let unshare: [String]? = [["-n"], ["-rn"]].first { options in
    (try? run(options, "nft list ruleset")) != nil
  }

  static let isUsable = unshare != nil || Machine.environment("CI") != nil

  @Test(
    "are what a kernel lists of their texts", .enabled(if: isUsable, "needs network namespaces"),
    arguments: Pack.files(".nft"))
  func listing(path: String) throws {
    let text = Pack.folder.appending(path: path).path
    let listed = try Self.run(Self.unshare ?? ["-n"], "nft -f '\(text)' && nft -j list ruleset")
    let shipped = Pack.text(String(path.dropLast(".nft".count)) + ".json")
    #expect(try Self.canonical(listed) == Self.canonical(Data(shipped.utf8)))
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private static func run(_ options: [String], _ script: String) throws -> Data {
    let output = try ChildProcess.run(
      "/usr/bin/unshare",
      options + ["/bin/sh", "-c", "PATH=/usr/sbin:/sbin:/usr/bin:/bin; \(script)"],
      timeout: .seconds(60), limit: 1 << 24)
    guard output.ending == .exited(0) else {
      throw Failure(description: String(decoding: output.errors, as: UTF8.self))
    }
    return Data(output.output)
  }

  /// A listing without what differs from load to load: the version of nft, handles, and the order
  /// of a set's elements.
  private static func canonical(_ listing: Data) throws -> String {
    let document = try #require(try JSONSerialization.jsonObject(with: listing) as? [String: Any])
    let objects = try #require(document["nftables"] as? [[String: Any]])
    return try text(objects.filter { $0["metainfo"] == nil }.map { canonical($0) })
  }

  private static func canonical(_ value: Any) -> Any {
    if let object = value as? [String: Any] {
      var kept: [String: Any] = [:]
      for (key, member) in object where key != "handle" {
        let plain = canonical(member)
        if key == "set", let elements = plain as? [Any] {
          kept[key] = elements.sorted { ((try? text($0)) ?? "") < ((try? text($1)) ?? "") }
        } else {
          kept[key] = plain
        }
      }
      return kept
    }
    if let array = value as? [Any] { return array.map { canonical($0) } }
    return value
  }

  private static func text(_ value: Any) throws -> String {
    let options: JSONSerialization.WritingOptions = [.sortedKeys, .fragmentsAllowed]
    return String(
      decoding: try JSONSerialization.data(withJSONObject: value, options: options),
      as: UTF8.self)
  }
}
