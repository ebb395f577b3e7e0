import Addresses
import Diagnostics
import Scenarios
import Testing

/// Scenario files as plans.
enum Plans {
  struct Broken: Error, CustomStringConvertible {
    var description: String
  }

  static func read(_ text: String, from own: AddressSet = .empty) throws -> ScenarioPlan {
    var sources = SourceMap()
    let (plan, diagnostics) = ScenarioReader.read(
      [.init(path: "test.scn", bytes: Array(text.utf8))], sources: &sources, selfAddresses: own
    ) { _ in .failure(UnreadableFile(reason: "no such file")) }
    guard let plan else {
      throw Broken(description: diagnostics.map(\.message).joined(separator: "\n"))
    }
    return plan
  }

  static func addresses(_ texts: String...) throws -> AddressSet {
    try texts.reduce(.empty) { set, text in
      set.union(AddressSet(try #require(IPAddress(text))))
    }
  }
}
