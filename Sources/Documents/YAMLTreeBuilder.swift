/// Makes trees out of libyaml's events, without recursion.
struct YAMLTreeBuilder {
  private(set) var documents: [YAMLValue] = []

  private let bytes: [UInt8]
  private let limits: YAMLLimits
  private let offsets: YAMLOffsets
  /// The lists and mappings that are open, outermost first.
  private var open: [YAMLFrame] = []
  private var anchors: [String: Anchor] = [:]
  /// Keys and values so far, with what aliases repeat.
  private var nodeCount = 0
  private var frameCount = 0

  /// What the name of an anchor stands for.
  private enum Anchor {
    /// A list or mapping that has not ended yet.
    case unfinished(frame: Int)
    case finished(YAMLValue, height: Int, nodeCount: Int)
  }

  init(bytes: [UInt8], from start: Int, limits: YAMLLimits) {
    self.bytes = bytes
    self.limits = limits
    offsets = YAMLOffsets(of: bytes, from: start)
  }

  mutating func read() throws(YAMLError) {
    let stream: YAMLEventStream
    do throws(YAMLEventStream.Failure) {
      stream = try YAMLEventStream(reading: bytes[offsets.start...])
    } catch { throw self.error(for: error) }
    try read(stream)
  }

  private mutating func read(_ stream: consuming YAMLEventStream) throws(YAMLError) {
    while true {
      let next: (event: YAMLEvent, marks: YAMLEventStream.Marks)
      do throws(YAMLEventStream.Failure) {
        next = try stream.next()
      } catch { throw self.error(for: error) }
      let start = offsets.offset(ofScalar: next.marks.start)
      let range = start..<max(start, offsets.offset(ofScalar: next.marks.end))
      switch next.event {
      case .streamEnd: return
      case .documentStart: anchors = [:]
      case .documentEnd: break
      case .alias(let name): try addAlias(name, range)
      case .scalar(let text, let isPlain, let isBlock, let properties):
        try addScalar(text, isPlain: isPlain, isBlock: isBlock, properties, range)
      case .sequenceStart(let style, let properties):
        try begin(YAMLFrame(.sequence, style, properties, range))
      case .mappingStart(let style, let properties):
        try begin(YAMLFrame(.mapping, style, properties, range))
      case .sequenceEnd, .mappingEnd: try end(range)
      }
    }
  }
}

extension YAMLTreeBuilder {
  private mutating func addScalar(
    _ text: String, isPlain: Bool, isBlock: Bool, _ properties: YAMLProperties, _ range: Range<Int>
  ) throws(YAMLError) {
    var range = range
    if isBlock {
      range = range.lowerBound..<endOfText(before: range.upperBound, after: range.lowerBound)
    } else if isPlain, range.isEmpty {
      let place = place(ofUnwritten: range.lowerBound)
      range = place..<place
    }
    guard text.utf8.count <= limits.scalarByteCount else {
      throw problem(.scalarTooLong(limit: limits.scalarByteCount), range)
    }
    try count(1, range)
    guard let scalar = YAMLScalar(text: text, isPlain: isPlain, tag: properties.tag) else {
      throw problem(.tagMismatch(tag: properties.tag ?? "", text: text), range)
    }
    let value = YAMLValue(content: .scalar(scalar), range: range, tag: properties.tag)
    if let name = properties.anchor {
      anchors[name] = .finished(value, height: 0, nodeCount: 1)
    }
    try add(value, height: 0, isAlias: false)
  }

  private mutating func addAlias(_ name: String, _ range: Range<Int>) throws(YAMLError) {
    switch anchors[name] {
    case nil: throw problem(.unknownAnchor(name), range)
    case .unfinished: throw problem(.aliasInsideItsAnchor(name), range)
    case .finished(var value, let height, let nodeCount):
      try count(nodeCount, range)
      guard open.count + height <= limits.depth else {
        throw problem(.tooDeep(limit: limits.depth), range)
      }
      value.range = range
      try add(value, height: height, isAlias: true)
    }
  }

  private mutating func begin(_ frame: YAMLFrame) throws(YAMLError) {
    var frame = frame
    let place = frame.start..<frame.start
    guard open.count < limits.depth else { throw problem(.tooDeep(limit: limits.depth), place) }
    frame.nodesBefore = nodeCount
    try count(1, place)
    frameCount += 1
    frame.number = frameCount
    if let name = frame.properties.anchor { anchors[name] = .unfinished(frame: frame.number) }
    open.append(frame)
  }

  private mutating func end(_ range: Range<Int>) throws(YAMLError) {
    guard let frame = open.popLast() else {
      preconditionFailure("libyaml ends only what it began")
    }
    let height = frame.height + 1
    let value = frame.value(endingAt: range)
    if let name = frame.properties.anchor, case .unfinished(frame.number) = anchors[name] {
      anchors[name] = .finished(value, height: height, nodeCount: nodeCount - frame.nodesBefore)
    }
    try add(value, height: height, isAlias: false)
  }

  private mutating func add(
    _ value: YAMLValue, height: Int, isAlias: Bool
  ) throws(YAMLError) {
    guard !open.isEmpty else {
      documents.append(value)
      return
    }
    do throws(YAMLFrame.Refusal) {
      try open[open.count - 1].add(value, height: height, isAlias: isAlias)
    } catch {
      switch error {
      case .collectionAsKey(let range): throw problem(.collectionAsKey, range)
      case .mergeOfNoMapping(let range): throw problem(.mergeOfNoMapping, range)
      case .duplicateKey(let name, let first, let second):
        let line = YAMLError(.collectionAsKey, at: first.lowerBound, in: bytes).line
        throw problem(.duplicateKey(name, first: first, firstLine: line), second)
      }
    }
  }
}

extension YAMLTreeBuilder {
  private mutating func count(_ nodes: Int, _ range: Range<Int>) throws(YAMLError) {
    nodeCount += nodes
    guard nodeCount <= limits.nodeCount else {
      throw problem(.tooManyNodes(limit: limits.nodeCount), range)
    }
  }

  private func problem(_ problem: YAMLError.Problem, _ range: Range<Int>) -> YAMLError {
    YAMLError(problem, at: range.lowerBound, in: bytes)
  }

  /// Where a value belongs that is not written: behind `:` or `-`, or else behind its key.
  private func place(ofUnwritten offset: Int) -> Int {
    let key: YAMLValue?
    if let frame = open.last, frame.kind == .mapping {
      guard let pending = frame.key else { return offset }
      key = pending
    } else {
      key = nil
    }
    let place = endOfText(before: offset, after: key?.range.upperBound ?? offsets.start)
    guard let key, place > 0, bytes[place - 1] != UInt8(ascii: ":") else { return place }
    return key.range.upperBound
  }

  /// The end of the last bytes before `offset` that are neither blanks nor line breaks.
  private func endOfText(before offset: Int, after start: Int) -> Int {
    let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    guard start < offset else { return offset }
    return bytes[start..<offset].lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
  }

  private func error(for failure: YAMLEventStream.Failure) -> YAMLError {
    switch failure {
    case .outOfMemory: return YAMLError(.outOfMemory, at: 0, in: bytes)
    case .encoding(let offset, let isControlCharacter, let value):
      let offset = min(offsets.start + offset, bytes.count)
      guard !isControlCharacter else {
        return YAMLError(.controlCharacter(UInt32(clamping: value)), at: offset, in: bytes)
      }
      return YAMLError(.notUTF8, at: startOfLetter(around: offset), in: bytes)
    case .syntax(let problem, let context, let line, let position):
      let words = context.map { "\(problem) (\($0), line \(line))" } ?? problem
      return YAMLError(.syntax(words), at: offsets.offset(ofScalar: position), in: bytes)
    }
  }

  /// The byte that begins the letter of which `offset` should be a part, or `offset` itself.
  private func startOfLetter(around offset: Int) -> Int {
    (max(offset - 3, offsets.start)..<offset).first { start in
      let width =
        switch bytes[start] {
        case 0..<0xC0: 1
        case 0xC0..<0xE0: 2
        case 0xE0..<0xF0: 3
        default: 4
        }
      return start + width > offset
    } ?? offset
  }
}
