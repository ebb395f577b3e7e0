private import Addresses

// Statements that answer, change or translate.
extension RulePrinter {
  package func text(of rejection: Rejection) -> String {
    func code(_ code: UInt8, _ type: DataType) -> String {
      ValuePrinter.text(UInt128(code), type)
    }
    return switch rejection {
    case .tcpReset: "tcp reset"
    case .icmp(let number): "icmp \(code(number, .icmpCode))"
    case .icmpv6(let number): "icmpv6 \(code(number, .icmpv6Code))"
    case .icmpx(let number): "icmpx \(code(number, .icmpxCode))"
    }
  }

  func text(of reference: ObjectReference, _ kind: StatefulObject.Kind) -> String {
    let verb: String
    switch kind {
    case .counter, .quota, .limit, .synproxy: verb = "\(kind.rawValue) name"
    case .ctHelper, .ctTimeout, .ctExpectation: verb = "\(kind.rawValue) set"
    case .secmark: verb = "meta secmark set"
    case .tunnel: verb = "tunnel name"
    }
    return switch reference {
    case .named(let name): "\(verb) \"\(name)\""
    case .mapped(let key, let map): "\(verb) \(text(of: key)) map \(text(of: map))"
    }
  }

  func mangle(_ selector: Selector, _ value: Expression) -> String {
    let field = text(of: selector.field)
    if case .option(let header) = selector.field, header.reading == .presence {
      return "reset \(field)"
    }
    // Flags that are set are listed with commas.
    if case .constant(let number, let type) = value, Symbols.isBitmask(type) {
      return "\(field) set \(ValuePrinter.flags(number, type, ","))"
    }
    return "\(field) set \(text(of: value))"
  }

  package func text(of translation: Translation) -> String {
    var text = translation.kind.rawValue
    var flags = translation.flags
    if translation.address != nil, table.family == .inet || table.family == .bridge {
      text += isIPv6(translation) ? " ip6" : " ip"
    }
    if flags.contains("netmap") {
      text += " prefix"
      flags.removeAll { $0 == "netmap" || $0 == "prefix" }
    }
    let address = translation.address.map { first in
      bounds(first, translation.addressUpper, isBeforePort: translation.port != nil)
    }
    let port = translation.port.map { first in
      ":" + bounds(first, translation.portUpper, isBeforePort: false)
    }
    if address != nil || port != nil { text += " to \(address ?? "")\(port ?? "")" }
    if !flags.isEmpty { text += " \(flags.joined(separator: ","))" }
    return text
  }

  private func isIPv6(_ translation: Translation) -> Bool {
    if translation.requiring.contains(.ipv6) { return true }
    guard let address = translation.address else { return false }
    return types(of: address).first == .ipv6Address
  }

  /// One value, or two with a dash; an IPv6 address before a port stands in brackets.
  private func bounds(
    _ lower: Expression, _ upper: Expression?, isBeforePort: Bool
  ) -> String {
    if case .constant(let first, let type) = lower, case .constant(let last, _)? = upper,
      first <= last
    {
      let text = ValuePrinter.text(.init(first, last), type)
      return isBeforePort && type == .ipv6Address
        ? text.split(separator: "-").map { "[\($0)]" }.joined(separator: "-") : text
    }
    let text = text(of: lower) + (upper.map { "-\(self.text(of: $0))" } ?? "")
    if isBeforePort, case .constant(_, .ipv6Address) = lower { return "[\(text)]" }
    return text
  }

  func text(of update: SetUpdate) -> String {
    var element = text(of: update.key)
    if let timeout = update.timeout { element += " timeout \(timeout)s" }
    for gate in update.gates { element += " \(gate.text)" }
    if let data = update.data { element += " : \(text(of: data))" }
    return "\(update.operation.rawValue) \(text(of: update.set)) { \(element) }"
  }
}
