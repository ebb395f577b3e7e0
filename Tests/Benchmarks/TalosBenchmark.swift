import Addresses
import Diagnostics
import Foundation
import Rulesets
import TalosFrontend
import TestSupport

/// Reading and compiling a long machine configuration.
struct TalosBenchmark {
  /// 500 documents that name 40 subnets each, of both families, in either mode.
  static func run() throws {
    for action in ["block", "accept"] {
      let bytes = configuration(action)
      var times: [Duration] = []
      var ruleCount = 0
      for _ in 0..<5 {
        let start = ContinuousClock.now
        var sources = SourceMap()
        let reading = TalosReader.read(
          [("talos.yaml", bytes)], options: TalosReader.Options(nodeAddresses: .known([])),
          sources: &sources)
        times.append(ContinuousClock.now - start)
        guard let ruleset = reading.ruleset else { throw Failure(reading.diagnostics) }
        ruleCount = ruleset.ruleCount
      }
      Figure.print(
        "talos, 500 documents with 20,000 subnets, \(action)", times.sorted()[2],
        note: "\(bytes.count >> 10) KiB, \(ruleCount) rules")
    }
  }

  private static func configuration(_ action: String) -> [UInt8] {
    var generator = SeededGenerator(seed: 0x7A105)
    var text = "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: \(action)\n"
    for document in 0..<500 {
      text += """
        ---
        apiVersion: v1alpha1
        kind: NetworkRuleConfig
        name: rule-\(document)
        portSelector:
          ports:
            - \(1_000 + document * 2)
            - \(10_000 + document * 100)-\(10_050 + document * 100)
          protocol: \(document % 2 == 0 ? "tcp" : "udp")
        ingress:

        """
      for entry in 0..<40 {
        let number = UInt32.random(in: 0x0A00_0000...0xDFFF_FFFF, using: &generator)
        if entry % 4 == 3 {
          text += "  - subnet: 2001:db8:\(String(number & 0xFFFF, radix: 16))::/48\n"
        } else {
          text += "  - subnet: \(IPv4Address(rawValue: number & 0xFFFF_FF00))/24\n"
          if entry % 4 == 0 {
            text += "    except: \(IPv4Address(rawValue: number & 0xFFFF_FF00 | 1))/32\n"
          }
        }
      }
    }
    return Array(text.utf8)
  }
}
