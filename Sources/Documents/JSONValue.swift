/// A value of a document together with the document: convenient, and not for hot paths.
///
/// ```swift
/// let host = try JSONDocument(reading: bytes).value
/// let names = host["interfaces"]?.array?.compactMap { $0["name"]?.string }
/// ```
package struct JSONValue: Sendable {
  package let document: JSONDocument
  package let node: JSONDocument.Node

  package init(_ document: JSONDocument, _ node: JSONDocument.Node) {
    self.document = document
    self.node = node
  }

  package var kind: JSONDocument.Kind { document.kind(of: node) }
  package var isNull: Bool { kind == .null }
  package var string: String? { document.string(node) }
  package var boolean: Bool? { document.boolean(node) }
  package var integer: Int? { document.integer(node) }
  package var unsigned: UInt128? { document.unsigned(node) }
  /// The bytes of the text that the value covers.
  package var range: Range<Int> { document.range(of: node) }

  /// The values of a list, or nil for any other kind.
  package var array: [JSONValue]? {
    document.elements(of: node)?.map { JSONValue(document, $0) }
  }

  /// The members of an object in the order of the text, or nil for any other kind.
  package var members: [(name: String, value: JSONValue)]? {
    guard kind == .object else { return nil }
    var list: [(name: String, value: JSONValue)] = []
    var members = document.members(of: node)
    while let member = members.next(in: document) {
      list.append((document.string(member.name) ?? "", JSONValue(document, member.value)))
    }
    return list
  }

  /// The value under `name`, or nil if this is no object or has no such name.
  package subscript(name: String) -> JSONValue? {
    document.member(name, of: node).map { JSONValue(document, $0) }
  }
}

extension JSONDocument {
  /// The whole text as a value.
  package var value: JSONValue { JSONValue(self, root) }
}
