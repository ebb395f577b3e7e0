import Addresses
import Diagnostics

extension Resolver {
  /// The services of a list with where each was named, or nil where something is wrong.
  mutating func services(_ list: [ServiceSyntax]) -> [(service: Service, span: SourceSpan)]? {
    var result: [(service: Service, span: SourceSpan)] = []
    var isWhole = true
    for syntax in list {
      if let services = services(syntax) {
        result += services.map { ($0, syntax.kindSpan) }
      } else {
        isWhole = false
      }
    }
    return isWhole ? result : nil
  }

  private mutating func services(_ syntax: ServiceSyntax) -> [Service]? {
    let text = Printer.text(of: syntax.kind)
    let isOneWay = syntax.oneWay != nil
    switch syntax.kind {
    case .name(let name):
      guard let services = services(named: Word(text: name, span: syntax.kindSpan)) else {
        return nil
      }
      return services.map { service in
        Service(service.kind, isOneWay: isOneWay || service.isOneWay, name: name)
      }
    case .any: return [Service(.any, isOneWay: isOneWay, name: text)]
    case .ports(let ports, let number):
      let set = IntervalSet(ports.map(\.value))
      return [Service(.ports(number, set), isOneWay: isOneWay, name: text)]
    case .transport(let number):
      // The protocols that the language knows by name have all their ports.
      let hasName = [TransportProtocol.tcp, .udp, .sctp].contains(number)
      let kind: Service.Kind =
        hasName ? .ports(number, IntervalSet(bitWidth: 16)) : .transport(number)
      return [Service(kind, isOneWay: isOneWay, name: text)]
    case .icmp(.ipv4, let type, let code):
      return [Service(.icmp(type: type, code: code), isOneWay: isOneWay, name: text)]
    case .icmp(.ipv6, let type, let code):
      return [Service(.icmpv6(type: type, code: code), isOneWay: isOneWay, name: text)]
    case .invalid: return nil
    }
  }

  /// What a declared service is, or nil where it has been complained about.
  mutating func services(named name: Word) -> [Service]? {
    switch serviceLists[name.key] {
    case .done(let services): return services
    case .underway:
      diagnostics.append(.cycle(name, path, "service"))
      return nil
    case nil: break
    }
    guard let declaration = declarations[name.key], case .service(let list) = declaration.kind
    else {
      complain(about: name, isServiceWanted: true)
      return nil
    }
    guard path.count < Self.longestPath else {
      diagnostics.append(.pathTooLong(name, "service"))
      return nil
    }
    serviceLists[name.key] = .underway
    path.append(declaration.name)
    let services = self.services(list)?.map(\.service)
    path.removeLast()
    serviceLists[name.key] = .done(services)
    return services
  }
}
