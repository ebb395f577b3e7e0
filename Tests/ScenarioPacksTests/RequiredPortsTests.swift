import Addresses
import Foundation
import LinuxKernel
import Scenarios
import Testing

/// The table of the ports that a Talos cluster must have open between its machines.
@Suite("The required ports")
struct RequiredPortsTests {
  struct Row: Sendable, Decodable, CustomTestStringConvertible {
    var id: String
    var system: String
    var proto: [String]
    var ports: [[UInt16]]?
    var source: [String]
    var dest: Destination
    var conditional: String?
    var testDescription: String { id }

    /// One role, or a list of them.
    enum Destination: Sendable, Decodable {
      case roles([String])

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let role = try? container.decode(String.self) {
          self = .roles([role])
        } else {
          self = .roles(try container.decode([String].self))
        }
      }

      var roles: [String] {
        switch self {
        case .roles(let roles): roles
        }
      }
    }
  }

  static let table = Pack.root.deletingLastPathComponent()
    .appending(path: "shared/facts/matrix.jsonl")
  static let isAvailable =
    FileManager.default.fileExists(atPath: table.path) || Machine.environment("CI") != nil

  /// The rows that every cluster needs: node ports are open where someone wants them.
  static func rows() throws -> [Row] {
    try String(contentsOf: table, encoding: .utf8).split(separator: "\n")
      .filter { $0.contains("\"system\": \"required\"") }
      .map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
      .filter { $0.conditional != "optional" }
  }

  private static let groups = [
    "control-plane": "cp", "worker": "worker", "all-nodes": "nodes", "admin": "admin",
    "internet": "internet",
  ]

  @Test(
    "are all asked for", .enabled(if: isAvailable, "needs the table beside the repository"),
    arguments: ["cilium/cilium.scn", "talos/talos.scn"])
  func covered(pack: String) throws {
    let plan = try Pack.read(pack).plan
    let rows = try Self.rows()
    #expect(rows.count >= 15)
    for row in rows where pack.hasPrefix("cilium") || !row.id.hasPrefix("req-cni-") {
      for source in row.source {
        for destination in row.dest.roles {
          let from = try Self.addresses(source, plan)
          let to = try Self.addresses(destination, plan)
          for name in row.proto {
            let number: TransportProtocol = name == "tcp" ? .tcp : .udp
            for ports in row.ports ?? [] {
              let wanted = IntervalSet([Interval(UInt128(ports[0]), UInt128(ports[1]))])
              let isAsked = plan.flows.contains { flow in
                flow.expectation == .allow && from.isSubset(of: flow.sources)
                  && to.isSubset(of: flow.destinations)
                  && flow.services.contains { $0.holds(wanted, of: number) }
              }
              #expect(isAsked, "\(row.id): \(source) to \(destination), \(ports) \(name)")
            }
          }
        }
      }
    }
  }

  private static func addresses(_ role: String, _ plan: ScenarioPlan) throws -> AddressSet {
    let group = try #require(groups[role], "\(role)")
    return try #require(plan.names.first { $0.name == group }?.addresses, "\(group)")
  }
}

extension Service {
  fileprivate func holds(_ wanted: IntervalSet, of number: TransportProtocol) -> Bool {
    switch kind {
    case .ports(number, let ports): wanted.isSubset(of: ports)
    case .any, .ports, .transport, .icmp, .icmpv6: false
    }
  }
}
