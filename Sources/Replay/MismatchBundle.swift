internal import Addresses
internal import Documents
internal import LinuxKernel
internal import Outcomes
internal import Proof
internal import Simulation

/// The files that let somebody else see a difference again.
package struct MismatchBundle {
  private let difference: Difference
  private let firewall: ReplayedFirewall

  package init(_ difference: Difference, _ firewall: ReplayedFirewall) {
    self.difference = difference
    self.firewall = firewall
  }

  /// The files, by their names.
  package var files: [(name: String, bytes: [UInt8])] {
    [
      (firewall.fileName, firewall.original),
      ("host.json", Array((difference.host.json + "\n").utf8)),
      ("packets.jsonl", Array((packetLine + "\n").utf8)),
      ("packet.hex", Array((hexadecimal(difference.packet.bytes) + "\n").utf8)),
      ("traces.txt", Array(ReplayTable.text(of: difference.mismatch).utf8)),
      ("traces.json", Array(traces.utf8)),
      ("kernel.txt", Array("Linux \(Machine.kernelRelease)\n".utf8)),
      ("README.md", Array(readme.utf8)),
    ]
  }

  /// The packet as `simulate` takes it.
  private var packetLine: String {
    let packet = difference.packet
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("l3_hex", hexadecimal(packet.bytes))
      if let input = packet.input {
        writer.member("iif", input.description)
      } else {
        writer.member("local", true)
      }
      if let source = packet.frameSource { writer.member("smac", source.description) }
      if packet.connection != .none { writer.member("state", "established") }
    }
    return writer.text
  }

  private var traces: String {
    var writer = JSONWriter(.indented)
    writer.object { writer in
      writer.member("schema", "portproof.mismatch/1")
      writer.member("code", difference.mismatch.between.rawValue)
      writer.member("summary", difference.mismatch.summary)
      writer.member("firewall", difference.mismatch.firewall)
      writer.member("kernel", Machine.kernelRelease)
      if case .established(let opening) = difference.packet.connection {
        writer.member("opening", hexadecimal(opening))
      }
      writer.array("hooks") { hooks in
        for hook in difference.mismatch.hooks {
          hooks.object { writer in
            writer.member("hook", hook.hook)
            for (name, verdict, trace) in [
              ("model", hook.model, hook.modelTrace), ("kernel", hook.kernel, hook.kernelTrace),
            ] {
              if let verdict { writer.member(name, verdict) } else { writer.null(name) }
              writer.array("\(name)_trace") { steps in
                for step in trace {
                  steps.object {
                    $0.member("family", step.rule.family)
                    $0.member("table", step.rule.table)
                    $0.member("chain", step.rule.chain)
                    if let handle = step.rule.handle { $0.member("handle", handle) }
                    $0.member("rule", step.rule.text)
                    $0.member("verdict", step.verdict)
                  }
                }
              }
            }
          }
        }
      }
    }
    return writer.text + "\n"
  }

  private var readme: String {
    let ruleset = firewall.fileName
    let load = firewall.isListing ? "nft -j -f \(ruleset)" : "nft -f \(ruleset)"
    var text = """
      # A packet that is not treated as foretold

      \(difference.mismatch.summary) (`\(difference.mismatch.between.rawValue)`), on Linux
      \(Machine.kernelRelease), by the ruleset of the firewall `\(firewall.name)`. `traces.txt` has
      both traces side by side.

      What the model says, hook by hook:

          portproof simulate --ruleset \(ruleset) --host host.json --packets packets.jsonl

      The model and the kernel together:

          portproof explain --ruleset \(ruleset) --host host.json \\
              --packet "$(cat packets.jsonl)" --replay

      The kernel alone, where the ruleset stands in a namespace of its own for as long as the shell:

          unshare --user --map-root-user --net

      """
    for interface in difference.host.interfaces where interface.name.description != "lo" {
      let name = interface.name
      text += "    ip link add \(name) type veth peer name far-\(name.description.prefix(8))\n"
      text +=
        "    ip link set \(name) up; ip link set far-\(name.description.prefix(8)) up\n"
      for own in interface.addresses {
        text += "    ip address add \(own.address)/\(own.length) dev \(name) nodad\n"
      }
    }
    for route in difference.host.routes {
      let place = route.destination.map { "\($0.network)/\($0.length)" } ?? "default"
      let gateway = route.gateway.map { " via \($0) onlink" } ?? ""
      text += "    ip route add \(place)\(gateway) dev \(route.device)\n"
    }
    if difference.host.isForwarding {
      text += "    sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1\n"
    }
    text += "    \(load)\n    nft monitor trace &\n"
    text += """

      The rules tell of packets that carry the trace mark: add a chain at priority -400 that sets
      `meta nftrace 1`. Then send the bytes of `packet.hex`: \(sending).
      """
    return text + "\n"
  }

  private var sending: String {
    if let input = difference.packet.input {
      return "as a frame into `far-\(input.description.prefix(8))`, to the hardware address of"
        + " `\(input)`"
    }
    return "through a raw socket of the host itself"
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
