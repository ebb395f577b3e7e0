internal import Addresses
internal import Documents

extension ResponderEvent {
  /// Writes the event as one line, its end included.
  func write(into writer: inout JSONWriter, _ line: inout [UInt8]) {
    writer.removeAll()
    writer.object {
      switch self {
      case .ready(let readiness): readiness.write(into: &$0)
      case .arrival(let sighting): sighting.write("arrival", into: &$0)
      case .acceptance(let sighting): sighting.write("acceptance", into: &$0)
      case .synced(let number):
        $0.member("event", "synced")
        $0.member("id", number)
      case .error(let message):
        $0.member("event", "error")
        $0.member("message", message)
      case .end(let ending): ending.write(into: &$0)
      }
    }
    line = writer.utf8
    line.append(UInt8(ascii: "\n"))
  }

  /// The event as one line of JSON, without its end.
  package var json: [UInt8] {
    var writer = JSONWriter()
    var line: [UInt8] = []
    write(into: &writer, &line)
    line.removeLast()
    return line
  }

  /// Why a line is no event.
  package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
  }

  /// Reads a line.
  ///
  /// - Throws: ``Problem`` where a responder would not write it so.
  package init(reading line: [UInt8]) throws(Problem) {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(reading: line)
    } catch {
      throw Problem("a line is no JSON: \(error)")
    }
    let reader = EventReader(document.value)
    switch try reader.string("event") {
    case "ready": self = .ready(try Readiness(reader))
    case "arrival": self = .arrival(try FarEndReport.Sighting(reader))
    case "acceptance": self = .acceptance(try FarEndReport.Sighting(reader))
    case "synced": self = .synced(try reader.integer("id"))
    case "error": self = .error(try reader.string("message"))
    case "end": self = .end(try Ending(reader))
    case let name: throw Problem("there is no event '\(name.prefix(64))'")
    }
  }
}

/// Takes members out of an event's object.
private struct EventReader {
  let value: JSONValue

  init(_ value: JSONValue) { self.value = value }

  func optionalString(_ name: String) throws(ResponderEvent.Problem) -> String? {
    guard let member = value[name], !member.isNull else { return nil }
    guard let text = member.string else { throw missing(name, "text") }
    return text
  }

  func string(_ name: String) throws(ResponderEvent.Problem) -> String {
    guard let text = try optionalString(name) else { throw missing(name, "text") }
    return text
  }

  func optionalInteger(_ name: String) throws(ResponderEvent.Problem) -> Int? {
    guard let member = value[name], !member.isNull else { return nil }
    guard let number = member.integer else { throw missing(name, "a whole number") }
    return number
  }

  func integer(_ name: String) throws(ResponderEvent.Problem) -> Int {
    guard let number = try optionalInteger(name) else { throw missing(name, "a whole number") }
    return number
  }

  func count(_ name: String) throws(ResponderEvent.Problem) -> Int {
    let number = try integer(name)
    guard number >= 0 else { throw missing(name, "a count") }
    return number
  }

  func boolean(_ name: String) throws(ResponderEvent.Problem) -> Bool {
    guard let flag = value[name]?.boolean else { throw missing(name, "true or false") }
    return flag
  }

  func address(_ name: String) throws(ResponderEvent.Problem) -> IPAddress {
    guard let address = IPAddress(try string(name)) else { throw missing(name, "an address") }
    return address
  }

  func ports(_ name: String) throws(ResponderEvent.Problem) -> IntervalSet {
    guard let ports = PortText.ports(in: try string(name)) else { throw missing(name, "ports") }
    return ports
  }

  func optionalNumber<Number: FixedWidthInteger>(
    _ name: String, _ type: Number.Type
  ) throws(ResponderEvent.Problem) -> Number? {
    guard let number = try optionalInteger(name) else { return nil }
    guard let narrow = Number(exactly: number) else { throw missing(name, "so large a number") }
    return narrow
  }

  func number<Number: FixedWidthInteger>(
    _ name: String, _ type: Number.Type
  ) throws(ResponderEvent.Problem) -> Number {
    guard let number = try optionalNumber(name, type) else { throw missing(name, "a number") }
    return number
  }

  private func missing(_ name: String, _ what: String) -> ResponderEvent.Problem {
    ResponderEvent.Problem("'\(name)' is not \(what)")
  }
}

extension JSONWriter {
  fileprivate mutating func optional(_ name: String, _ value: (some BinaryInteger)?) {
    if let value { member(name, value) }
  }

  fileprivate mutating func optional(_ name: String, _ value: String?) {
    if let value { member(name, value) }
  }
}

extension ResponderEvent.Readiness {
  fileprivate func write(into writer: inout JSONWriter) {
    writer.member("event", "ready")
    writer.member("schema", Assignment.schema)
    writer.object("bound") {
      $0.member("tcp", PortText.text(of: boundTCP))
      $0.member("udp", PortText.text(of: boundUDP))
    }
    writer.object("taken") {
      $0.member("tcp", PortText.text(of: takenTCP))
      $0.member("udp", PortText.text(of: takenUDP))
    }
    writer.array("refused") {
      for refusal in refusals {
        $0.object {
          $0.member("protocol", refusal.transport.rawValue)
          $0.member("address", refusal.address.description)
          $0.member("ports", PortText.text(of: refusal.ports))
          $0.member("because", refusal.reason)
        }
      }
    }
    writer.optional("icmp_ratelimit", icmpRateLimit)
    writer.optional("icmpv6_ratelimit", icmpv6RateLimit)
    writer.optional("blind", blindBecause)
    writer.optional("capture", capture)
    writer.optional("capture_trouble", captureTrouble)
    writer.member("privileged", !hasDroppedPrivileges)
  }

  fileprivate init(_ reader: EventReader) throws(ResponderEvent.Problem) {
    guard try reader.string("schema") == Assignment.schema else {
      throw ResponderEvent.Problem("the schema is not \(Assignment.schema)")
    }
    guard let bound = reader.value["bound"].map(EventReader.init),
      let taken = reader.value["taken"].map(EventReader.init),
      let refused = reader.value["refused"]?.array
    else { throw ResponderEvent.Problem("'ready' lacks 'bound', 'taken' or 'refused'") }
    boundTCP = try bound.ports("tcp")
    boundUDP = try bound.ports("udp")
    takenTCP = try taken.ports("tcp")
    takenUDP = try taken.ports("udp")
    for entry in refused.map(EventReader.init) {
      guard
        let transport = ResponderEvent.Refusal.Transport(
          rawValue: try entry.string("protocol"))
      else { throw ResponderEvent.Problem("'protocol' is neither tcp nor udp") }
      refusals.append(
        ResponderEvent.Refusal(
          transport, try entry.address("address"), try entry.ports("ports"),
          because: try entry.string("because")))
    }
    icmpRateLimit = try reader.optionalInteger("icmp_ratelimit")
    icmpv6RateLimit = try reader.optionalInteger("icmpv6_ratelimit")
    blindBecause = try reader.optionalString("blind")
    capture = try reader.optionalString("capture")
    captureTrouble = try reader.optionalString("capture_trouble")
    hasDroppedPrivileges = !(try reader.boolean("privileged"))
  }
}

extension FarEndReport.Sighting {
  fileprivate func write(_ event: String, into writer: inout JSONWriter) {
    writer.member("event", event)
    switch kind {
    case .tcp(let port):
      writer.member("protocol", "tcp")
      writer.member("dport", port)
    case .udp(let port):
      writer.member("protocol", "udp")
      writer.member("dport", port)
    case .icmp(let type, let code):
      writer.member("protocol", destination.family == .ipv4 ? "icmp" : "icmpv6")
      writer.member("type", type)
      writer.member("code", code)
    }
    writer.member("source", source.description)
    writer.optional("sport", sourcePort)
    writer.member("destination", destination.description)
    writer.optional("probe", probe)
    writer.member("time", time)
    writer.optional("packet", packet)
  }

  fileprivate init(_ reader: EventReader) throws(ResponderEvent.Problem) {
    let kind: Probe.Kind
    let source = try reader.address("source")
    let destination = try reader.address("destination")
    guard source.family == destination.family else {
      throw ResponderEvent.Problem("'source' and 'destination' are of two families")
    }
    var sourcePort: UInt16?
    switch try reader.string("protocol") {
    case "tcp":
      kind = .tcp(try reader.number("dport", UInt16.self))
      sourcePort = try reader.number("sport", UInt16.self)
    case "udp":
      kind = .udp(try reader.number("dport", UInt16.self))
      sourcePort = try reader.number("sport", UInt16.self)
    case destination.family == .ipv4 ? "icmp" : "icmpv6":
      kind = .icmp(
        type: try reader.number("type", UInt8.self), code: try reader.number("code", UInt8.self))
    case let name: throw ResponderEvent.Problem("there is no protocol '\(name.prefix(64))'")
    }
    self.init(
      from: source, to: destination, kind, sourcePort: sourcePort,
      probe: try reader.optionalNumber("probe", UInt32.self),
      time: try reader.number("time", Int64.self), packet: try reader.optionalInteger("packet"))
  }
}

extension ResponderEvent.Ending {
  fileprivate func write(into writer: inout JSONWriter) {
    writer.member("event", "end")
    writer.member("because", reason.rawValue)
    writer.member("arrivals", arrivals)
    writer.member("acceptances", acceptances)
    writer.member("replies", replies)
    writer.member("failed_replies", failedReplies)
    writer.member("strangers", strangers)
    writer.member("lost_captures", lostCaptures)
    writer.member("untold", untold)
    writer.optional("blind", blindBecause)
    writer.optional("capture_trouble", captureTrouble)
  }

  fileprivate init(_ reader: EventReader) throws(ResponderEvent.Problem) {
    guard let reason = Reason(rawValue: try reader.string("because")) else {
      throw ResponderEvent.Problem("'because' is no reason to end")
    }
    self.reason = reason
    arrivals = try reader.count("arrivals")
    acceptances = try reader.count("acceptances")
    replies = try reader.count("replies")
    failedReplies = try reader.count("failed_replies")
    strangers = try reader.count("strangers")
    lostCaptures = try reader.count("lost_captures")
    untold = try reader.count("untold")
    blindBecause = try reader.optionalString("blind")
    captureTrouble = try reader.optionalString("capture_trouble")
  }
}
