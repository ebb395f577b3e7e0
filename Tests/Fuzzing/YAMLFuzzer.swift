import Documents

/// Reads arbitrary bytes as YAML and looks at every node.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  // Few enough nodes that walking an alias bomb takes no time.
  let limits = YAMLLimits(nodeCount: 20_000)
  do {
    for document in try YAMLReader.documents(of: bytes, limits: limits) {
      check(document, in: bytes)
    }
  } catch {
    precondition(!error.description.isEmpty)
    precondition(0...count ~= error.offset && error.line >= 1 && error.column >= 1)
  }
  return 0
}

/// Every place is one of the text, and what is written plainly in one line stands there as it is.
private func check(_ value: YAMLValue, in bytes: [UInt8]) {
  let text = bytes[value.range]
  switch value.content {
  case .scalar(let scalar):
    _ = (scalar.resolved, scalar.boolean)
    let isOneLine = text.allSatisfy { 0x20..<0x7F ~= $0 }
    if scalar.isPlain, text.first != UInt8(ascii: "*"), isOneLine {
      precondition(text.reversed().starts(with: scalar.text.utf8.reversed()))
    }
  case .sequence(let entries): for entry in entries { check(entry, in: bytes) }
  case .mapping(let members):
    for member in members {
      check(member.key, in: bytes)
      check(member.value, in: bytes)
    }
  }
}
