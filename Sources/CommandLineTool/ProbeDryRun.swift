internal import Addresses
internal import Diagnostics
internal import Documents
internal import Probing
internal import Scenarios

/// What a run would send, without sending it.
struct ProbeDryRun {
  let plan: ProbePlan
  let flows: [Flow]

  /// A line for each probe with the lines that it stands for, then what is not probed, then sums.
  var text: String {
    var text = ""
    var names = [[String]](repeating: [], count: plan.probes.count)
    for (line, flow) in zip(plan.lines, flows) {
      for index in line.probes { names[index].append(flow.id) }
    }
    for (probe, names) in zip(plan.probes, names) {
      text += "\(Self.text(of: probe))  (\(names.joined(separator: ", ")))\n"
    }
    for (line, flow) in zip(plan.lines, flows) {
      if let obstacle = line.obstacle {
        text += "not probed: \(flow.text): \(obstacle.reason)\n"
      }
      for omission in line.omissions where line.obstacle == nil {
        text += "not probed: \(flow.text): \(omission)\n"
      }
    }
    let targets = Set(plan.probes.map(\.destination)).count
    let most = plan.probes.reduce(0) { $0 + $1.transmissions }
    text +=
      "\(plan.probes.count) \(plan.probes.count == 1 ? "probe" : "probes") to \(targets) "
      + "\(targets == 1 ? "target" : "targets"), at most \(most) packets before anything is asked"
      + " again; nothing was sent\n"
    return text
  }

  /// `10.0.0.1 > 10.0.0.2 tcp/22 syn, up to 2 times, 250 ms each`.
  private static func text(of probe: Probe) -> String {
    let what =
      switch probe.kind {
      case .tcp: "\(probe.kind.text) syn"
      case .udp: "\(probe.kind.text), 32 octets"
      case .icmp: "\(probe.kind.text), 32 octets"
      }
    let port = probe.sourcePort.map { " from port \($0)" } ?? ""
    return "\(probe.source) > \(probe.destination)  \(what)\(port), up to \(probe.transmissions) "
      + "\(probe.transmissions == 1 ? "time" : "times"), \(spokenMilliseconds(probe.timeout)) each"
  }

  /// The same as `portproof.dry-run/1`.
  var json: String {
    var writer = JSONWriter(.indented)
    writer.object { writer in
      writer.member("schema", "portproof.dry-run/1")
      writer.array("probes") { list in
        for probe in plan.probes {
          list.object { writer in
            writer.member("saddr", probe.source.description)
            writer.member("daddr", probe.destination.description)
            switch probe.kind {
            case .tcp(let port):
              writer.member("protocol", "tcp")
              writer.member("dport", port)
            case .udp(let port):
              writer.member("protocol", "udp")
              writer.member("dport", port)
            case .icmp(let type, let code):
              writer.member("protocol", probe.destination.family == .ipv4 ? "icmp" : "icmpv6")
              writer.member("icmp_type", type)
              writer.member("icmp_code", code)
            }
            if let port = probe.sourcePort { writer.member("sport", port) }
            writer.member("transmissions", probe.transmissions)
            writer.member("timeout_ms", Int(probe.timeout / .milliseconds(1)))
          }
        }
      }
      writer.array("lines") { list in
        for (line, flow) in zip(plan.lines, flows) {
          list.object { writer in
            writer.member("id", flow.id)
            writer.member("scenario", flow.text)
            writer.array("probes") { numbers in
              for index in line.probes { numbers.value(index) }
            }
            if let obstacle = line.obstacle {
              writer.member("not_probed_because", obstacle.reason)
            } else {
              writer.null("not_probed_because")
            }
            writer.array("not_probed") { omissions in
              for omission in line.omissions { omissions.value(omission) }
            }
          }
        }
      }
    }
    return writer.text + "\n"
  }
}

extension ProbeDryRun {
  /// Writes it in the form that the command line asks for.
  func write(_ arguments: ParsedArguments, _ console: Console) throws(Stop) {
    do throws(Diagnostic) {
      try console.write(arguments[.format] == Format.json.rawValue ? json : text)
    } catch {
      throw console.stop(error)
    }
  }
}
