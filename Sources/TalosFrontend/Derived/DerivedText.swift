internal import Addresses
internal import Scenarios

/// Pieces of a scenario file.
enum DerivedText {
  /// `80, 443 tcp`; all ports of a protocol are `tcp`.
  static func service(_ ports: IntervalSet, _ transport: TransportProtocol) -> String {
    ports == IntervalSet(bitWidth: 16)
      ? Printer.text(of: transport)
      : "\(Printer.text(of: ports.intervals)) \(Printer.text(of: transport))"
  }

  /// `etcd`, or `{ etcd, 80 tcp }`.
  static func services(_ services: [String]) -> String {
    services.count == 1 ? services[0] : "{ \(services.joined(separator: ", ")) }"
  }

  /// `any except { a, b }`.
  static func any(except names: [String]) -> String {
    names.isEmpty ? "any" : "any except \(services(names))"
  }

  /// The subnets of a rule as its document has them, less what it excepts.
  static func members(of rule: NetworkRule) -> String {
    let included = rule.ingress.map(\.subnet.value.network)
    let all = included.reduce(AddressSet.empty) { $0.union(AddressSet($1)) }
    let excepted = rule.ingress.compactMap(\.except?.value.network).filter {
      !AddressSet($0).intersection(all).isEmpty
    }
    let text = unique(included).joined(separator: ", ")
    return excepted.isEmpty ? text : "\(text) except \(services(unique(excepted)))"
  }

  /// The fewest prefixes that hold these addresses.
  static func members(of addresses: AddressSet) -> String {
    unique(addresses.prefixes).joined(separator: ", ")
  }

  private static func unique(_ prefixes: [IPPrefix]) -> [String] {
    var seen: Set<IPPrefix> = []
    return prefixes.filter { seen.insert($0).inserted }.map { prefix in
      prefix.length == prefix.family.bitWidth ? "\(prefix.network)" : "\(prefix)"
    }
  }

  /// Single addresses, IPv4 first.
  static func list(_ addresses: AddressSet) -> String {
    IPFamily.allCases.flatMap { family in
      addresses[family].intervals.flatMap { interval in
        (interval.lower...interval.upper).map { "\(IPAddress(family, rawValue: $0))" }
      }
    }.joined(separator: ", ")
  }

  /// Text that someone else chose, for a comment: no line ends in it.
  static func quoted(_ text: String) -> String {
    var clean = ""
    for scalar in text.unicodeScalars {
      clean.unicodeScalars.append(
        scalar.value < 0x20 || 0x7F..<0xA0 ~= scalar.value ? "?" : scalar)
    }
    return "\"\(clean)\""
  }

  private static let width = 100

  /// A line that is broken after commas where it is long, with a comment at its end.
  static func wrapped(_ line: String, comment: String? = nil) -> String {
    var rows: [String] = [""]
    var words = line.split(separator: ", ", omittingEmptySubsequences: false).map(String.init)
    for index in words.indices.dropLast() { words[index] += "," }
    for word in words {
      let last = rows.count - 1
      if rows[last].isEmpty {
        rows[last] = word
      } else if rows[last].count + word.count + 3 > width {
        rows.append("    \(word)")
      } else {
        rows[last] += " \(word)"
      }
    }
    return rows.joined(separator: " \\\n") + (comment.map { "  # \($0)" } ?? "")
  }

  /// A comment, broken between words where it is long.
  static func comment(_ text: String) -> String {
    var rows = ["#"]
    let sentence = text.prefix(1).uppercased() + text.dropFirst()
    for word in sentence.split(separator: " ") {
      if rows[rows.count - 1].count + word.count + 1 > width { rows.append("#  ") }
      rows[rows.count - 1] += " \(word)"
    }
    return rows.joined(separator: "\n")
  }
}
