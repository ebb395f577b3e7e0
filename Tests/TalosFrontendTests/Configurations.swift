import Addresses
import Diagnostics
import Rulesets
import TalosFrontend
import Testing

/// Fixtures put together into one configuration, and what is asked of it.
struct Configuration: Sendable, CustomTestStringConvertible {
  /// The title of the ruleset that follows, in the file beside the repository.
  let title: String
  let files: [String]
  let version: String
  /// The node's own addresses; nil where they are not known.
  let addresses: [String]?

  var testDescription: String { title }

  init(_ title: String, _ files: [String], _ version: String, _ addresses: [String]?) {
    self.title = title
    self.files = files
    self.version = version
    self.addresses = addresses
  }

  var options: TalosReader.Options {
    get throws {
      TalosReader.Options(
        version: try #require(TalosVersion(version)),
        nodeAddresses: try addresses.map { texts in
          .known(try texts.map { try #require(IPAddress($0)) })
        } ?? .notKnown)
    }
  }

  /// Reads the fixtures as one stream of documents.
  func reading() throws -> TalosReader.Reading {
    var sources = SourceMap()
    let text = try files.map {
      String(decoding: try Repository.fixture("\($0).yaml"), as: UTF8.self)
    }
    .joined(separator: "---\n")
    return TalosReader.read(
      [("config.yaml", Array(text.utf8))], options: try options, sources: &sources)
  }

  /// Every ruleset that was derived by hand from Talos' source.
  static let derived = [
    Configuration("G1 accept main", ["two-rules"], "1.15", ["10.3.4.5"]),
    Configuration("G1 accept 1.14", ["two-rules"], "1.14", ["10.3.4.5"]),
    Configuration("G2 block main", ["block", "two-rules"], "1.15", ["10.3.4.5"]),
    Configuration(
      "G3 docs block main k8s", ["block", "kubelet", "node"], "1.15", ["172.20.0.5"]),
    Configuration("G4 docs accept main k8s", ["kubelet", "node"], "1.15", ["172.20.0.5"]),
    Configuration(
      "G5 docs CP block main k8s dualstack node", ["control-plane", "node"], "1.15",
      ["172.20.0.2", "fd00::2"]),
    Configuration(
      "G6 multidoc3 block", ["block", "dns-and-web"], "1.15", ["192.168.1.10", "2001::10"]),
    Configuration(
      "G6b multidoc3 accept (no default action doc)", ["dns-and-web"], "1.15",
      ["192.168.1.10", "2001::10"]),
    Configuration("G7 empty ingress list, accept / block", ["no-sources"], "1.15", ["10.0.0.1"]),
    Configuration(
      "G7 empty ingress list, accept / block 2", ["block", "no-sources"], "1.15", ["10.0.0.1"]),
    Configuration("G8 allow everywhere accept", ["everywhere"], "1.15", ["10.0.0.1"]),
    Configuration("G9 global except", ["block", "global-except"], "1.15", ["10.0.0.1"]),
    Configuration(
      "G10 dualstack pods hostdns main", ["block", "dual-stack-node"], "1.15",
      ["10.0.0.1", "2001:db8::1"]),
    Configuration(
      "G11 v6-only pods hostdns main", ["block", "ipv6-node"], "1.15", ["2001:db8::1"]),
    Configuration(
      "G11b dualstack pods hostdns 1.13", ["block", "dual-stack-node"], "1.13", ["10.0.0.1"]),
    Configuration("G12 no addresses", ["block"], "1.15", []),
  ]
}

/// The lines of a table in nft's words, written the way ``RulesetPrinter`` writes them.
func comparable(_ text: String) -> [String] {
  text.split(separator: "\n").map { line in
    var line = String(line).trimmingPrefix { $0 == " " || $0 == "\t" }.description
    for (old, new) in [
      (" packets 0 bytes 0", ""), ("priority mangle + 10;", "priority -140;"),
      ("priority dstnat - 10;", "priority -110;"), ("priority filter;", "priority 0;"),
      ("priority security;", "priority 50;"), ("l4proto ipv6-icmp", "l4proto icmpv6"),
    ] {
      line = line.replacing(old, with: new)
    }
    // nft tests for IPv4 besides where it reads `icmp type` alone; Talos does not.
    return line.hasPrefix("icmp type") ? "meta l4proto icmp \(line)" : line
  }.filter { !$0.isEmpty }
}
