internal import Documents

/// A listing of nft's in JSON, as what can be loaded.
///
/// nft lists an object beside its table, so that a map may come before the chains that it leads to,
/// or before the counters that it names; loading goes by the order of the text. Here tables come
/// first, then chains, objects and sets without their elements, then elements and rules. Nothing
/// else is changed, and of each kind the order stays, which decides which of two chains with one
/// priority runs first.
struct ListingOrder {
  /// The objects, each as JSON of its own.
  private(set) var objects: [ArraySlice<UInt8>] = []

  /// The ranks of kinds of objects; all others come behind them.
  private static let ranks: [(kind: String, rank: Int)] = [
    ("metainfo", 0), ("table", 1), ("chain", 2), ("set", 4), ("map", 4), ("element", 5),
    ("rule", 6),
  ]

  /// Reads a listing; nil where `bytes` are none, as nft commands are.
  init?(_ bytes: [UInt8]) {
    guard bytes.first(where: { $0 > UInt8(ascii: " ") }) == UInt8(ascii: "{"),
      let document = try? JSONDocument(reading: bytes, limits: JSONLimits(depth: 96)),
      let list = document.member("nftables", of: document.root),
      let elements = document.elements(of: list)
    else { return nil }
    var ranked: [[ArraySlice<UInt8>]] = Array(repeating: [], count: 7)
    for element in elements {
      let range = document.range(of: element)
      guard let member = document.onlyMember(of: element) else {
        ranked[6].append(bytes[range])
        continue
      }
      let kind = Self.ranks.first { document.isString(member.name, $0.kind) }
      if kind?.rank == 4, let split = Self.split(document, member, range) {
        ranked[4].append(split.declaration[...])
        ranked[5].append(split.elements[...])
      } else {
        // Objects that rules and maps name: counters, limits and the like.
        ranked[kind?.rank ?? 3].append(bytes[range])
      }
    }
    objects = ranked.flatMap { $0 }
  }

  /// A set without its elements, and its elements; nil where it has none.
  private static func split(
    _ document: JSONDocument, _ member: JSONDocument.Member, _ whole: Range<Int>
  ) -> (declaration: [UInt8], elements: [UInt8])? {
    var head: [UInt8] = []
    var address: [UInt8] = []
    var values: ArraySlice<UInt8>?
    var members = document.members(of: member.value)
    while let each = members.next(in: document) {
      if document.isString(each.name, "elem") {
        values = document.bytes[document.range(of: each.value)]
        continue
      }
      let text =
        document.bytes[document.range(of: each.name)] + [UInt8(ascii: ":")]
        + document.bytes[document.range(of: each.value)] + [UInt8(ascii: ",")]
      head += text
      if ["family", "table", "name"].contains(where: { document.isString(each.name, $0) }) {
        address += text
      }
    }
    guard let values, !head.isEmpty else { return nil }
    let kind = document.bytes[document.range(of: member.name)]
    return (
      Array("{".utf8) + kind + Array(":{".utf8) + head.dropLast() + Array("}}".utf8),
      Array("{\"element\":{".utf8) + address + Array("\"elem\":".utf8) + values
        + Array("}}".utf8)
    )
  }

  /// The whole as one listing.
  var bytes: [UInt8] { Self.listing(objects) }

  /// A listing of some objects.
  static func listing(_ objects: some Sequence<ArraySlice<UInt8>>) -> [UInt8] {
    var bytes = Array("{\"nftables\":[".utf8)
    for (number, object) in objects.enumerated() {
      if number > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes += object
    }
    return bytes + Array("]}".utf8)
  }
}
