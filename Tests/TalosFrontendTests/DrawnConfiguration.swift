import TestSupport

/// A configuration drawn at random, with the node that it is for.
struct DrawnConfiguration {
  var text: String
  var version: String
  var node: [String]?

  private static let versions = [
    "1.6.0", "1.7.5", "1.8.4", "1.9.3", "1.10.2", "1.11.0", "1.12.4", "1.12.5", "1.13", "1.14",
    "1.15",
  ]
  private static let nodes: [[String]?] = [
    nil, ["172.20.0.2"], ["172.20.0.2", "fd00:20::2"], ["fd00:20::2"], ["10.0.0.1", "10.244.3.4"],
    ["10.96.0.1", "fc00:db8:10::9"], ["172.20.0.2", "fe80::5"], ["192.168.3.7"],
  ]
  private static let networks = [
    "0.0.0.0/0", "::/0", "172.20.0.0/24", "172.20.0.2/32", "172.20.0.3/32", "10.0.0.0/8",
    "10.3.0.0/16", "10.3.4.5/24", "10.244.0.0/16", "192.168.0.0/16", "192.168.3.7/32",
    "128.0.0.0/1", "fd00:20::/64", "fd00:20::2/128", "fd00::/8", "2001:db8::/32", "8000::/1",
    "255.255.255.255/32", "224.0.0.0/4",
  ]
  private static let names = [
    "kubelet-ingress", "apid", "any", "tcp", "node", "ping", "Ingress", "ingress", "-", "443",
    "a b", "a--b", "käse", "x.y", "one-way", "tab\\there", "ingress-ingress", "self", "KUBELET",
    "kubelet", "kubelet-sources", "日本", "a_b-", "\\\"quoted\\\" # {", "timestamps",
  ]

  init(using generator: inout SeededGenerator) {
    version = Self.versions.randomElement(using: &generator) ?? ""
    node = Self.nodes.randomElement(using: &generator) ?? nil
    var documents: [String] = []
    if Bool.random(using: &generator) {
      documents.append("apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: block\n")
    }
    if Int.random(in: 0..<3, using: &generator) > 0 {
      documents.append(Self.legacy(using: &generator))
    }
    let names = Self.names.shuffled(using: &generator)
    for name in names.prefix(Int.random(in: 0...5, using: &generator)) {
      documents.append(Self.rule(name, using: &generator))
    }
    if documents.isEmpty { documents.append(Self.rule("only", using: &generator)) }
    text = documents.joined(separator: "---\n")
  }

  private static func legacy(using generator: inout SeededGenerator) -> String {
    let pods =
      [
        ["10.244.0.0/16"], ["10.244.0.0/16", "fc00:db8:10::/56"], ["fc00:db8:10::/56"],
      ].randomElement(using: &generator) ?? []
    let services = ["10.96.0.0/12", "fc00:db8:20::/112"].filter { service in
      pods.contains { $0.contains(":") == service.contains(":") }
    }
    return """
      version: v1alpha1
      machine:
        type: worker
        features:
          hostDNS:
            enabled: true
            forwardKubeDNSToHost: \(Bool.random(using: &generator))
      cluster:
        network:
          podSubnets: [\(pods.map { "\"\($0)\"" }.joined(separator: ", "))]
          serviceSubnets: [\(services.map { "\"\($0)\"" }.joined(separator: ", "))]

      """
  }

  private static func rule(_ name: String, using generator: inout SeededGenerator) -> String {
    // Borders in rising order, taken in pairs: ranges of one rule do not overlap.
    let pool = [0, 22, 53, 80, 81, 82, 443, 444, 8080, 10250, 50000, 50001, 65534, 65535]
    var ports: [String] = []
    var index = Int.random(in: 0..<5, using: &generator)
    while index < pool.count, ports.count < 4 {
      if index + 1 < pool.count, Int.random(in: 0..<4, using: &generator) == 0 {
        ports.append("\"\(pool[index])-\(pool[index + 1])\"")
        index += 1
      } else {
        ports.append("\(pool[index])")
      }
      index += Int.random(in: 1...5, using: &generator)
      if Int.random(in: 0..<3, using: &generator) == 0 { break }
    }
    ports.shuffle(using: &generator)
    let protocols = ["tcp", "tcp", "tcp", "udp", "udp", "icmp", "icmpv6", ""]
    let transport = protocols.randomElement(using: &generator) ?? ""
    var text = "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: \"\(name)\"\nportSelector:\n"
    text += "  ports: [\(ports.joined(separator: ", "))]\n"
    if !transport.isEmpty { text += "  protocol: \(transport)\n" }
    let count = Int.random(in: 0...4, using: &generator)
    if count > 0 { text += "ingress:\n" }
    for _ in 0..<count {
      text += "  - subnet: \"\(networks.randomElement(using: &generator) ?? "")\"\n"
      if Int.random(in: 0..<4, using: &generator) == 0 {
        text += "    except: \"\(networks.randomElement(using: &generator) ?? "")\"\n"
      }
    }
    return text
  }
}
