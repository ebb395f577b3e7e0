internal import CYaml

/// What libyaml finds next in a text.
enum YAMLEvent {
  /// How a list or a mapping is written.
  enum Style {
    case block
    /// In brackets.
    case flow
  }

  case streamEnd
  case documentStart
  case documentEnd
  case alias(name: String)
  case scalar(text: String, isPlain: Bool, isBlock: Bool, YAMLProperties)
  case sequenceStart(Style, YAMLProperties)
  case sequenceEnd
  case mappingStart(Style, YAMLProperties)
  case mappingEnd
}

/// What may be written before a node.
struct YAMLProperties {
  /// The name of the anchor without its `&`.
  var anchor: String?
  /// The tag with its shorthand resolved; the tag `!`, which says nothing in yaml.v3, is none.
  var tag: String?

  init(anchor: String?, tag: String?) {
    self.anchor = anchor
    self.tag = tag == "!" ? nil : tag
  }
}

/// The events of a text, one at a time.
///
/// libyaml's parser, its events and a copy of the text are freed when the value goes out of scope.
/// It is not `Sendable`: a parser of libyaml belongs to one thread.
@safe
struct YAMLEventStream: ~Copyable {
  /// Where an event stands.
  ///
  /// Counted in Unicode scalars from the beginning of the text, as libyaml does.
  struct Marks {
    var start: Int
    var end: Int
  }

  /// Why there is no next event.
  enum Failure: Error {
    /// `position` counts Unicode scalars.
    case syntax(problem: String, context: String?, contextLine: Int, position: Int)
    /// `offset` counts bytes.
    case encoding(offset: Int, isControlCharacter: Bool, value: Int)
    case outOfMemory
  }

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let text: UnsafeMutableBufferPointer<UInt8>

  /// Begins with a text in UTF-8 without a byte order mark.
  ///
  /// The corresponding C functions are `yaml_parser_initialize` and `yaml_parser_set_input_string`.
  init(reading bytes: ArraySlice<UInt8>) throws(Failure) {
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    unsafe parser.initialize(to: yaml_parser_t())
    guard unsafe yaml_parser_initialize(parser) == 1 else {
      unsafe parser.deallocate()
      throw .outOfMemory
    }
    let text = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = unsafe text.initialize(fromContentsOf: bytes)
    unsafe self.parser = parser
    unsafe self.text = text
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    unsafe yaml_parser_set_input_string(parser, text.baseAddress, text.count)
  }

  deinit {
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
    unsafe text.deallocate()
  }

  /// The next event; after ``YAMLEvent/streamEnd`` there is none, and one must not ask.
  ///
  /// The corresponding C function is `yaml_parser_parse`.
  mutating func next() throws(Failure) -> (event: YAMLEvent, marks: Marks) {
    var raw = unsafe yaml_event_t()
    repeat {
      guard unsafe yaml_parser_parse(parser, &raw) == 1 else { throw failure() }
    } while unsafe raw.type == YAML_STREAM_START_EVENT
    defer { unsafe yaml_event_delete(&raw) }
    let marks = unsafe Marks(start: raw.start_mark.index, end: raw.end_mark.index)
    return unsafe (event(raw), marks)
  }

  private func event(_ raw: yaml_event_t) -> YAMLEvent {
    switch unsafe raw.type {
    case YAML_STREAM_END_EVENT: return .streamEnd
    case YAML_DOCUMENT_START_EVENT: return .documentStart
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_ALIAS_EVENT: return unsafe .alias(name: string(raw.data.alias.anchor) ?? "")
    case YAML_SCALAR_EVENT:
      let scalar = unsafe raw.data.scalar
      let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      let style = unsafe scalar.style
      return unsafe .scalar(
        text: String(decoding: bytes, as: UTF8.self), isPlain: style == YAML_PLAIN_SCALAR_STYLE,
        isBlock: style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE,
        YAMLProperties(anchor: string(scalar.anchor), tag: string(scalar.tag)))
    case YAML_SEQUENCE_START_EVENT:
      let sequence = unsafe raw.data.sequence_start
      return unsafe .sequenceStart(
        sequence.style == YAML_FLOW_SEQUENCE_STYLE ? .flow : .block,
        YAMLProperties(anchor: string(sequence.anchor), tag: string(sequence.tag)))
    case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
    case YAML_MAPPING_START_EVENT:
      let mapping = unsafe raw.data.mapping_start
      return unsafe .mappingStart(
        mapping.style == YAML_FLOW_MAPPING_STYLE ? .flow : .block,
        YAMLProperties(anchor: string(mapping.anchor), tag: string(mapping.tag)))
    case YAML_MAPPING_END_EVENT: return .mappingEnd
    default: preconditionFailure("libyaml produces no other events, and none after the end")
    }
  }

  private func string(_ start: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    guard let start = unsafe start else { return nil }
    return unsafe String(cString: start)
  }

  private func failure() -> Failure {
    let parser = unsafe parser.pointee
    let problem = unsafe parser.problem.map { unsafe String(cString: $0) }
    switch unsafe parser.error {
    case YAML_MEMORY_ERROR: return .outOfMemory
    case YAML_READER_ERROR:
      return unsafe .encoding(
        offset: parser.problem_offset,
        isControlCharacter: problem == "control characters are not allowed",
        value: Int(parser.problem_value))
    default:
      return unsafe .syntax(
        problem: problem ?? "this is no YAML",
        context: parser.context.map { unsafe String(cString: $0) },
        contextLine: parser.context_mark.line + 1, position: parser.problem_mark.index)
    }
  }
}
