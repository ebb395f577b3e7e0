import Diagnostics
import LinuxKernel
import Netfilter
import NftablesFrontend
import Rulesets
import TestSupport
import Testing

/// Rulesets as the tool reads them from a kernel: with the text beside the JSON, and with commands
/// that are loaded to be told again.
enum LiveHost {
  static let condition: ConditionTrait = .enabled(
    if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
    "needs root: makes network namespaces and loads nftables rules")

  /// What is in force in a network namespace in which commands of a shell have been run.
  static func ruleset(after commands: String) throws -> Ruleset {
    let listing = try listing(after: commands)
    return try ruleset(listing.json, text: listing.text, bytecode: listing.bytecode)
  }

  static func listing(after commands: String) throws -> LibnftablesReader.Listing {
    let workshop = try Workshop(isForAll: false)
    let program = try workshop.program(
      """
      set -e
      [ "$PORTPROOF_INSIDE" ] || PORTPROOF_INSIDE=1 exec unshare -n "$0" "$@"
      PATH=/usr/sbin:/sbin:/usr/bin:/bin
      ( \(commands)
      ) >/dev/null
      exec $TOOL "$@"
      """)
    return try LibnftablesReader(executable: program).listLive()
  }

  /// A listing, of which parts are told again where it needs that.
  static func ruleset(
    _ json: [UInt8], text: [UInt8]? = nil, bytecode: [UInt8]? = nil
  ) throws -> Ruleset {
    let tool = try Workshop.builtTool()
    var sources = SourceMap()
    let reading = NftablesReader.read(
      json, name: "live", sources: &sources, text: text, bytecode: bytecode
    ) {
      commands in
      do throws(NetfilterError) {
        return .listing(try LibnftablesReader(executable: tool).retell(commands).json)
      } catch {
        return .failed(reason: error.description)
      }
    }
    return try #require(reading.ruleset, "\(reading.diagnostics)")
  }
}

extension Ruleset {
  /// The rules of a chain, in nft's words.
  func text(of chain: String, in table: String) -> [String] {
    guard let table = tables.first(where: { "\($0.family.rawValue) \($0.name)" == table }),
      let chain = table.chains.first(where: { $0.name == chain })
    else { return [] }
    return chain.rules.map { RulePrinter(table).text(of: $0) }
  }
}
