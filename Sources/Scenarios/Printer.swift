package import Addresses

/// Writes parts of a file in their canonical form.
package enum Printer {
  /// `cp, 10.0.0.0/8 except { admin, self }`.
  package static func text(of set: SetSyntax) -> String {
    let atoms = set.atoms.map { text(of: $0) }.joined(separator: ", ")
    guard let exception = set.exception else { return atoms }
    return "\(atoms) except \(text(of: exception))"
  }

  package static func text(of atom: AtomSyntax) -> String {
    switch atom.kind {
    case .name(let name): name
    case .address(let address): address.description
    case .prefix(let prefix): prefix.description
    case .range(let lower, let upper): "\(lower)-\(upper)"
    case .any: "any"
    case .this: "self"
    case .braces(let set): "{ \(text(of: set)) }"
    case .invalid: "?"
    }
  }

  /// `80, 443 tcp`, without `one-way`.
  package static func text(of service: ServiceSyntax.Kind) -> String {
    switch service {
    case .ports(let ports, let number): "\(text(of: ports.map(\.value))) \(text(of: number))"
    case .transport(let number): text(of: number)
    case .name(let name): name
    case .icmp(let family, let type, let code):
      (family == .ipv4 ? "icmp" : "icmpv6")
        + (type.map { " type " + (ICMPTypeName.name(of: $0, family) ?? String($0)) } ?? "")
        + (code.map { " code \($0)" } ?? "")
    case .any: "any"
    case .invalid: "?"
    }
  }

  /// `etcd`, or `{ 80 tcp, overlay one-way }`.
  package static func text(of services: [ServiceSyntax]) -> String {
    let texts = services.map { text(of: $0.kind) + ($0.oneWay == nil ? "" : " one-way") }
    return texts.count == 1 ? texts[0] : "{ " + texts.joined(separator: ", ") + " }"
  }

  /// `80, 1024-65535`.
  package static func text(of ports: some Sequence<Interval>) -> String {
    ports.map { $0.lower == $0.upper ? "\($0.lower)" : "\($0.lower)-\($0.upper)" }
      .joined(separator: ", ")
  }

  package static func text(of number: TransportProtocol) -> String {
    if number == .tcp { return "tcp" }
    if number == .udp { return "udp" }
    if number == .sctp { return "sctp" }
    return "proto \(number.rawValue)"
  }

  package static func text(of expectation: Flow.Expectation) -> String {
    switch expectation {
    case .allow: "allow"
    case .deny: "deny"
    case .drop: "drop"
    case .reject(let reason): "reject" + (reason.map { " with \($0.rawValue)" } ?? "")
    }
  }
}
