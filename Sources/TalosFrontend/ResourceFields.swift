internal import Diagnostics
internal import Documents

/// Why a part of a resource is not known.
enum UnreadPart: Error {
  /// It holds something that this version does not know, which has been said; the reason is a phrase.
  case doubtful(reason: String)
  /// It is not what Talos writes, which has been said.
  case wrong
}

/// The fields of a mapping, checked once for what may stand there.
struct ResourceFields {
  /// The fields that are known and not null.
  private var values: [String: YAMLValue] = [:]
  /// The names that are not known, in order.
  private(set) var unknown: [YAMLValue] = []

  /// Reads a mapping, `name` being what messages call it; nil, and a diagnostic, if the value is no
  /// mapping or has a field twice.
  init?(
    _ value: YAMLValue, called name: String, known: [String], file: Int,
    _ diagnostics: inout [Diagnostic]
  ) {
    guard let members = value.mapping else {
      diagnostics.append(
        ChainResourceProblem.wrongShape(name, should: "a mapping").diagnostic(
          at: value.span(in: file)))
      return nil
    }
    var places: [String: YAMLValue] = [:]
    for member in members {
      if let first = places.updateValue(member.key, forKey: member.name) {
        diagnostics.append(
          ChainResourceProblem.fieldTwice(member.name).diagnostic(
            at: member.key.span(in: file), besides: first.span(in: file)))
        return nil
      }
      if !known.contains(member.name) {
        unknown.append(member.key)
      } else if !member.value.isNull {
        values[member.name] = member.value
      }
    }
  }

  subscript(name: String) -> YAMLValue? { values[name] }
}

extension YAMLValue {
  func span(in file: Int) -> SourceSpan {
    SourceSpan(file: file, lower: range.lowerBound, upper: range.upperBound)
  }
}
