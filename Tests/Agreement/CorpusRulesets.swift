import Foundation

/// The rulesets of the corpora, each as the JSON that nft listed.
enum CorpusRulesets {
  static func all(in folder: URL) throws -> [(name: String, listing: Data)] {
    var found: [(name: String, listing: Data)] = []
    let vectors = folder.appending(path: "vectors")
    let files = try FileManager.default.contentsOfDirectory(atPath: vectors.path).sorted()
    for file in files where file.hasSuffix(".json") {
      let data = try Data(contentsOf: vectors.appending(path: file))
      found.append((file, try listing(data)))
    }
    let traps = try String(contentsOf: folder.appending(path: "traps.jsonl"), encoding: .utf8)
    for line in traps.split(separator: "\n") {
      let data = Data(line.utf8)
      let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
      found.append(("trap \(object?["name"] as? String ?? "?")", try listing(data)))
    }
    return found
  }

  private static func listing(_ data: Data) throws -> Data {
    let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    guard let ruleset = object?["ruleset_json"] else { throw CocoaError(.fileReadCorruptFile) }
    return try JSONSerialization.data(withJSONObject: ruleset)
  }
}
