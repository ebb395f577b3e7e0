/// A list or a mapping of which the end has not come yet.
struct YAMLFrame {
  enum Kind {
    case sequence
    case mapping
  }

  /// Why a node may not stand where it does.
  enum Refusal: Error {
    case collectionAsKey(Range<Int>)
    case mergeOfNoMapping(Range<Int>)
    case duplicateKey(String, first: Range<Int>, second: Range<Int>)
  }

  let kind: Kind
  let properties: YAMLProperties
  /// Where it begins, in bytes.
  let start: Int
  /// Tells it from all others of the text.
  var number = 0
  /// How many nodes came before it.
  var nodesBefore = 0
  /// The height of the highest child: 0 for a scalar, 1 for a list of scalars.
  private(set) var height = 0
  /// The key whose value has not come yet.
  private(set) var key: YAMLValue?

  private let style: YAMLEvent.Style
  /// Where the last child ends.
  private var end: Int
  private var entries: [YAMLValue] = []
  private var members: [YAMLMember] = []
  private var keys = YAMLKeyIndex()
  private var keyIsMerge = false
  /// Where the merge key stands.
  private var merge: Range<Int>?
  /// The mappings that the merge key names; earlier ones count first.
  private var merged: [[YAMLMember]] = []

  init(
    _ kind: Kind, _ style: YAMLEvent.Style, _ properties: YAMLProperties, _ range: Range<Int>
  ) {
    self.kind = kind
    self.style = style
    self.properties = properties
    start = range.lowerBound
    end = range.upperBound
  }

  /// Takes the next child.
  mutating func add(_ value: YAMLValue, height: Int, isAlias: Bool) throws(Refusal) {
    self.height = max(self.height, height)
    end = max(end, value.range.upperBound)
    switch kind {
    case .sequence: entries.append(value)
    case .mapping:
      guard let key else {
        try begin(value, isAlias: isAlias)
        return
      }
      self.key = nil
      if keyIsMerge {
        try merge(value, isAlias: isAlias)
      } else {
        members.append(YAMLMember(key: key, value: value))
      }
    }
  }

  /// Takes a key.
  private mutating func begin(_ key: YAMLValue, isAlias: Bool) throws(Refusal) {
    guard let scalar = key.scalar else { throw .collectionAsKey(key.range) }
    keyIsMerge = !isAlias && isMerge(scalar, tag: key.tag)
    let first =
      keyIsMerge ? merge : keys.first(scalar.text, in: members).map { members[$0].key.range }
    if let first { throw .duplicateKey(scalar.text, first: first, second: key.range) }
    if keyIsMerge { merge = key.range }
    self.key = key
  }

  // gopkg.in/yaml.v3 decode.go, `isMerge`.
  private func isMerge(_ scalar: YAMLScalar, tag: String?) -> Bool {
    guard scalar.text == "<<" else { return false }
    return tag.map { $0 == "tag:yaml.org,2002:merge" } ?? scalar.isPlain
  }

  // gopkg.in/yaml.v3 decode.go, `merge`: a list must be written in place.
  private mutating func merge(_ value: YAMLValue, isAlias: Bool) throws(Refusal) {
    switch value.content {
    case .mapping(let members): merged.append(members)
    case .sequence(let entries) where !isAlias:
      for entry in entries {
        guard let members = entry.mapping else { throw .mergeOfNoMapping(entry.range) }
        merged.append(members)
      }
    case .scalar, .sequence: throw .mergeOfNoMapping(value.range)
    }
  }

  /// The finished node; `range` is where libyaml has its end.
  func value(endingAt range: Range<Int>) -> YAMLValue {
    // A mapping of one member in a list, `[a: b]`, has no brackets; lists in blocks have none ever.
    let end = style == .flow && !range.isEmpty ? range.upperBound : end
    let content: YAMLValue.Content =
      switch kind {
      case .sequence: .sequence(entries)
      case .mapping: .mapping(merged.isEmpty ? members : allMembers())
      }
    return YAMLValue(content: content, range: start..<max(start, end), tag: properties.tag)
  }

  private func allMembers() -> [YAMLMember] {
    var all = members
    var keys = keys
    for member in merged.joined() where keys.first(member.name, in: all) == nil {
      all.append(member)
    }
    return all
  }
}

/// Finds keys in a list of members that only grows.
struct YAMLKeyIndex {
  /// From how many members on keys are looked up instead of compared one by one.
  private static let threshold = 16

  private var places: [[UInt8]: Int] = [:]
  private var indexed = 0

  /// The first member with a key, or nil.
  mutating func first(_ name: String, in members: [YAMLMember]) -> Int? {
    guard members.count > Self.threshold else { return members.firstIndex { $0.isNamed(name) } }
    while indexed < members.count {
      places[Array(members[indexed].name.utf8)] = indexed
      indexed += 1
    }
    return places[Array(name.utf8)]
  }
}
