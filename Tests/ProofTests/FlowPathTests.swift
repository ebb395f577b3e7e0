import Addresses
import Diagnostics
import Proof
import Scenarios
import Testing

@Suite("Paths of a flow")
struct FlowPathTests {
  /// Sixteen addresses: those of 10.0.0.0/28.
  static let first: UInt128 = 0x0A00_0000

  static func plan(_ text: String) throws -> ScenarioPlan {
    var sources = SourceMap()
    let (plan, diagnostics) = ScenarioReader.read(
      path: "test.scn", bytes: Array(text.utf8), sources: &sources,
      loading: { _ in .success([]) })
    return try #require(plan, "\(diagnostics)")
  }

  @Test("every packet is on exactly one path, through the firewalls that stand on its way")
  func partition() throws {
    let plan = try Self.plan(
      """
      host twin = 10.0.0.4, 10.0.0.5
      firewall a = nft "a" on 10.0.0.0-10.0.0.5
      firewall b = nft "b" between 10.0.0.0-10.0.0.7 and 10.0.0.6-10.0.0.11
      firewall c = nft "c" on 10.0.0.3-10.0.0.9
      firewall d = nft "d" between 10.0.0.2 and any
      10.0.0.0-10.0.0.12, twin -> 10.0.0.2-10.0.0.15, twin 22 tcp expect deny
      """)
    let flow = try #require(plan.flows.first)
    let placements = plan.firewalls.map(\.placement)
    let paths = FlowPath.paths(of: flow, placements: placements, interfaces: plan.interfaces)
    func has(_ set: AddressSet, _ address: UInt128) -> Bool { set[.ipv4].contains(address) }
    for source in Self.first..<Self.first + 16 {
      for destination in Self.first..<Self.first + 16 {
        let here = paths.filter {
          $0.sources.contains(source) && $0.destinations.contains(destination)
        }
        let twins = [Self.first + 4, Self.first + 5]
        let isAsked =
          has(flow.sources, source) && has(flow.destinations, destination)
          && !(twins.contains(source) && twins.contains(destination))
        #expect(here.count == (isAsked ? 1 : 0), "\(source) -> \(destination)")
        guard isAsked, let path = here.first else { continue }
        var expected: [(kind: Hop.Kind, firewall: Int)] = []
        for (index, placement) in placements.enumerated() {
          if case .on(let hosts) = placement, has(hosts, source) {
            expected.append((.outbound, index))
          }
        }
        for (index, placement) in placements.enumerated() {
          if case .between(let left, let right) = placement,
            has(left, source) && has(right, destination)
              || has(right, source) && has(left, destination)
          {
            expected.append((.through, index))
          }
        }
        for (index, placement) in placements.enumerated() {
          if case .on(let hosts) = placement, has(hosts, destination) {
            expected.append((.inbound, index))
          }
        }
        #expect(
          path.hops.map { "\($0.kind) \($0.firewall)" }
            == expected.map { "\($0.kind) \($0.firewall)" }, "\(source) -> \(destination)")
      }
    }
  }
}
