/// A node of a YAML document: what it holds and where it stands.
///
/// Aliases are replaced by what they stand for and merge keys are applied, so that a reader of the
/// tree need not know of them.
///
/// ```swift
/// for document in try YAMLReader.documents(of: bytes) {
///   print(document["kind"]?.scalar?.text ?? "?", document.range)
/// }
/// ```
package struct YAMLValue: Sendable {
  package enum Content: Sendable {
    case scalar(YAMLScalar)
    case sequence([YAMLValue])
    /// The members in the order of the text; those that a merge key brings come last.
    case mapping([YAMLMember])
  }

  package var content: Content
  /// The bytes of the text that the node covers, its anchor and tag included; of an alias, the
  /// bytes of the alias.
  ///
  /// The nodes inside an alias's value and the members that a merge key brings keep the places at
  /// which they are written. A value that is not written at all has an empty range behind the
  /// indicator it belongs to.
  package var range: Range<Int>
  /// The explicit tag with its shorthand resolved, such as `tag:yaml.org,2002:str`, or nil.
  package var tag: String?

  package init(content: Content, range: Range<Int>, tag: String? = nil) {
    self.content = content
    self.range = range
    self.tag = tag
  }

  /// The members of a mapping, or nil for any other node.
  package var mapping: [YAMLMember]? {
    switch content {
    case .mapping(let members): members
    case .scalar, .sequence: nil
    }
  }

  /// The entries of a sequence, or nil for any other node.
  package var sequence: [YAMLValue]? {
    switch content {
    case .sequence(let entries): entries
    case .scalar, .mapping: nil
    }
  }

  package var scalar: YAMLScalar? {
    switch content {
    case .scalar(let scalar): scalar
    case .sequence, .mapping: nil
    }
  }

  /// Whether the node is a scalar that stands for nothing: `~`, `null` or not written at all.
  package var isNull: Bool { scalar?.isNull ?? false }

  /// The value under `name`, or nil if this is no mapping or has no such key.
  ///
  /// Names are compared byte by byte, so that letters which merely look alike differ.
  ///
  /// - Complexity: O(n) in the number of members.
  package subscript(name: String) -> YAMLValue? {
    mapping?.first { $0.isNamed(name) }?.value
  }
}

/// A key of a mapping, which is always a scalar, and its value.
package struct YAMLMember: Sendable {
  package var key: YAMLValue
  package var value: YAMLValue

  package init(key: YAMLValue, value: YAMLValue) {
    self.key = key
    self.value = value
  }

  /// The text of the key.
  package var name: String { key.scalar?.text ?? "" }

  /// Strings that look alike are equal to Swift; names are the same only byte by byte.
  func isNamed(_ name: String) -> Bool {
    self.name == name && self.name.utf8.elementsEqual(name.utf8)
  }
}
