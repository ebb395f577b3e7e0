internal import Documents

// nft text of statements that the model keeps as text.
extension NftLowering {
  func logText(_ node: Node) -> String {
    var text = "log"
    if let prefix = string("prefix", of: node) { text += " prefix \"\(prefix)\"" }
    if let group = integer("group", of: node) { text += " group \(group)" }
    if let length = integer("snaplen", of: node) { text += " snaplen \(length)" }
    if let threshold = integer("queue-threshold", of: node) {
      text += " queue-threshold \(threshold)"
    }
    if let level = string("level", of: node) { text += " level \(level)" }
    let flags = strings("flags", of: node)
    let tcp = flags.compactMap {
      $0 == "tcp sequence" ? "sequence" : $0 == "tcp options" ? "options" : nil
    }
    if !tcp.isEmpty { text += " flags tcp \(tcp.joined(separator: ","))" }
    for flag in flags where !flag.hasPrefix("tcp ") { text += " flags \(flag)" }
    return text
  }

  func duplicateText(_ node: Node) -> String {
    var text = "dup"
    if let address = string("addr", of: node) { text += " to \(address)" }
    if let device = string("dev", of: node) { text += " device \"\(device)\"" }
    return text == "dup" ? "dup \(compactText(of: node))" : text
  }

  /// A statement that hands the packet on, as nft writes it; nil for a shape that is not known.
  func divertingText(_ name: String, _ node: Node) -> String? {
    switch name {
    case "fwd":
      guard let device = string("dev", of: node) else { return nil }
      if let address = string("addr", of: node) {
        return "fwd \(string("family", of: node) ?? "ip") to \(address) device \"\(device)\""
      }
      return "fwd to \"\(device)\""
    case "tproxy":
      let address = string("addr", of: node)
      let port = integer("port", of: node)
      guard address != nil || port != nil else { return nil }
      let isIPv6 = address?.contains(":") ?? false
      let place = address.map { isIPv6 ? "[\($0)]" : $0 } ?? ""
      let addressFamily = string("family", of: node).map { "\($0) " } ?? ""
      return "tproxy \(addressFamily)to \(place)\(port.map { ":\($0)" } ?? "")"
    case "synproxy":
      if let object = document.string(node) { return "synproxy name \"\(object)\"" }
      guard document.member("map", of: node) == nil else { return nil }
      var text = "synproxy"
      if let size = integer("mss", of: node) { text += " mss \(size)" }
      if let scale = integer("wscale", of: node) { text += " wscale \(scale)" }
      for flag in strings("flags", of: node) { text += " \(flag)" }
      return text
    case "queue":
      var text = "queue"
      if let flags = Optional(strings("flags", of: node)), !flags.isEmpty {
        text += " flags \(flags.joined(separator: ","))"
      }
      guard let number = document.member("num", of: node) else { return text }
      if let single = document.integer(number) { return "\(text) to \(single)" }
      guard let member = document.onlyMember(of: number), document.isString(member.name, "range"),
        let ends = document.elements(of: member.value), ends.count == 2,
        let first = document.integer(ends[0]), let last = document.integer(ends[1])
      else { return nil }
      return "\(text) to \(first)-\(last)"
    case "flow":
      return string("flowtable", of: node).map { "flow add \($0)" }
    default: return nil
    }
  }
}
