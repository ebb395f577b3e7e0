import Diagnostics

/// What can be wrong with a scenario file; the raw value is the diagnostic's stable code.
package enum ScenarioCode: String, Hashable, Sendable, CaseIterable {
  case acceptForAllow = "scenario.accept-for-allow"
  case addressInvalid = "scenario.address-invalid"
  case clauseMisplaced = "scenario.clause-misplaced"
  case clauseRepeated = "scenario.clause-repeated"
  case contradiction = "scenario.contradiction"
  case duplicateId = "scenario.duplicate-id"
  case duplicateName = "scenario.duplicate-name"
  case emptyRange = "scenario.empty-range"
  case emptySet = "scenario.empty-set"
  case encodingInvalid = "scenario.encoding-invalid"
  case escapeUnknown = "scenario.escape-unknown"
  case familiesDisjoint = "scenario.families-disjoint"
  case firewallWithoutPath = "scenario.firewall-without-path"
  case groupCycle = "scenario.group-cycle"
  case hostBits = "scenario.host-bits"
  case icmpFamily = "scenario.icmp-family"
  case includeCycle = "scenario.include-cycle"
  case includeUnreadable = "scenario.include-unreadable"
  case interfaceInvalid = "scenario.interface-invalid"
  case itself = "scenario.itself"
  case kindNotYet = "scenario.kind-not-yet"
  case missingArrow = "scenario.missing-arrow"
  case missingExpect = "scenario.missing-expect"
  case missingProtocol = "scenario.missing-protocol"
  case mixedRange = "scenario.mixed-range"
  case nestedTooDeeply = "scenario.nested-too-deeply"
  case nothingAsked = "scenario.nothing-asked"
  case numberOutOfRange = "scenario.number-out-of-range"
  case optionValue = "scenario.option-value"
  case pathUnexpected = "scenario.path-unexpected"
  case portOutOfRange = "scenario.port-out-of-range"
  case prefixInvalid = "scenario.prefix-invalid"
  case protocolWithoutPorts = "scenario.protocol-without-ports"
  case rejectMismatch = "scenario.reject-mismatch"
  case reservedWord = "scenario.reserved-word"
  case reversedRange = "scenario.reversed-range"
  case selfUnknown = "scenario.self-unknown"
  case sourcePortWithoutPorts = "scenario.source-port-without-ports"
  case textInvalid = "scenario.text-invalid"
  case unclosedBracket = "scenario.unclosed-bracket"
  case unexpectedCharacter = "scenario.unexpected-character"
  case unexpectedToken = "scenario.unexpected-token"
  case unknownClause = "scenario.unknown-clause"
  case unknownICMPType = "scenario.unknown-icmp-type"
  case unknownKind = "scenario.unknown-kind"
  case unknownName = "scenario.unknown-name"
  case unknownOption = "scenario.unknown-option"
  case unknownSeverity = "scenario.unknown-severity"
  case unknownState = "scenario.unknown-state"
  case unknownStatement = "scenario.unknown-statement"
  case unknownVerdict = "scenario.unknown-verdict"
  case unterminatedString = "scenario.unterminated-string"
  case wordInvalid = "scenario.word-invalid"
  case wrongRole = "scenario.wrong-role"

  /// Whether the text is outside the grammar, so that no tree stands for it.
  ///
  /// What is within the grammar but means nothing (an unknown name, a reversed range) can still be
  /// formatted.
  package var isSyntax: Bool {
    switch self {
    case .acceptForAllow, .emptyRange, .encodingInvalid, .escapeUnknown, .missingArrow,
      .missingExpect, .missingProtocol, .nestedTooDeeply, .reservedWord, .unclosedBracket,
      .unexpectedCharacter, .unexpectedToken, .unknownClause, .unknownStatement, .unknownVerdict,
      .unterminatedString, .wordInvalid:
      true
    case .addressInvalid, .clauseMisplaced, .clauseRepeated, .contradiction, .duplicateId,
      .duplicateName, .emptySet, .familiesDisjoint, .firewallWithoutPath, .groupCycle, .hostBits,
      .icmpFamily, .includeCycle, .includeUnreadable, .interfaceInvalid, .itself, .kindNotYet,
      .mixedRange, .nothingAsked, .numberOutOfRange, .optionValue, .pathUnexpected, .portOutOfRange,
      .prefixInvalid, .protocolWithoutPorts, .rejectMismatch, .reversedRange, .selfUnknown,
      .sourcePortWithoutPorts, .textInvalid, .unknownICMPType, .unknownKind, .unknownName,
      .unknownOption, .unknownSeverity, .unknownState, .wrongRole:
      false
    }
  }
}

extension Diagnostic {
  /// Makes a diagnostic of this target.
  init(
    _ code: ScenarioCode, _ message: String, at span: SourceSpan, label: String = "",
    severity: Severity = .error, secondary: [Label] = [], notes: [String] = [], help: String? = nil
  ) {
    self.init(
      Code(rawValue: code.rawValue), severity, message, at: Label(span, label),
      secondary: secondary, notes: notes, help: help)
  }
}

/// The part of a diagnostic that offers a likely spelling.
func question(_ suggestion: String?) -> String {
  suggestion.map { "did you mean `\($0)`?" } ?? ""
}
