internal import Addresses
internal import Capture
internal import LinuxKernel

/// What of this machine decides how much a probe can tell, at the end that asks and at the end that
/// answers.
///
/// None of it keeps `probe` from being run.
enum ProbeConditions {
  static var findings: [DoctorFinding] {
    let raw = rawPackets
    return [raw, pingSockets(isNeeded: raw.standing != .works)]
      + [echoAnswers, errorRates, reversePathFilter, openFiles]
  }

  private static func works(_ name: String, _ detail: String) -> DoctorFinding {
    DoctorFinding(name: name, standing: .works, detail: detail)
  }

  private static func lessens(
    _ name: String, _ detail: String, help: String?
  ) -> DoctorFinding {
    DoctorFinding(name: name, standing: .lessens, detail: detail, help: help)
  }

  // The end that asks

  /// Whether raw packets may be sent and captured: by opening a socket and a capture.
  private static var rawPackets: DoctorFinding {
    let name = "raw packets"
    let without =
      "without them probes are connections, of which a closed port and `reject` look alike"
    do throws(CaptureError) {
      _ = try LiveCapture(InterfaceName("any") ?? .none)
    } catch {
      return lessens(name, "\(error); \(without)", help: error.help)
    }
    do throws(Errno) {
      _ = try RawSocket(isIPv6: false)
    } catch {
      return lessens(
        name, "cannot be sent: \(error); \(without)",
        help: "run as root, or give the program the capability CAP_NET_RAW")
    }
    return works(name, "may be sent and captured")
  }

  /// Whether echo requests may be sent without privilege: by opening a socket for them.
  ///
  /// Source: net/ipv4/ping.c `ping_init_sock`.
  private static func pingSockets(isNeeded: Bool) -> DoctorFinding {
    let name = "ping sockets"
    let range = Machine.numbers(of: "net/ipv4/ping_group_range")
    let groups = range.map { $0.map(String.init).joined(separator: " ") } ?? "not there"
    do throws(Errno) {
      _ = try DatagramSocket(.ping, from: Endpoint(isIPv6: false, number: 0))
    } catch {
      let seen = "\(error); net.ipv4.ping_group_range is \(groups)"
      guard isNeeded else {
        return works(name, "not allowed, and not needed, as raw packets are (\(seen))")
      }
      return lessens(
        name, "\(seen); without them no echo request is sent",
        help: "`sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"` allows them to every user")
    }
    return works(name, "may be used (net.ipv4.ping_group_range is \(groups))")
  }

  // The end that answers

  private static var echoAnswers: DoctorFinding {
    let ignoring = ["net.ipv4.icmp_echo_ignore_all", "net.ipv6.icmp.echo_ignore_all"].filter {
      (Machine.setting($0) ?? 0) != 0
    }
    guard !ignoring.isEmpty else {
      return works("echo answers", "the kernel answers echo requests")
    }
    return lessens(
      "echo answers",
      "\(ignoring.joined(separator: " and ")) set: a ping of this machine looks dropped",
      help: ignoring.map { "`sysctl -w \($0)=0`" }.joined(separator: ", "))
  }

  /// How often the kernel tells that a port is closed, or that a rule rejects.
  ///
  /// Source: ip-sysctl.rst `icmp_ratelimit`, `icmp_ratemask` (bit 3: destination unreachable).
  private static var errorRates: DoctorFinding {
    let name = "ICMP errors"
    var limits: [(setting: String, family: String, milliseconds: Int)] = []
    let mask = Machine.setting("net.ipv4.icmp_ratemask") ?? 1 << 3
    if let limit = Machine.setting("net.ipv4.icmp_ratelimit"), limit > 0, mask & 1 << 3 != 0 {
      limits.append(("net.ipv4.icmp_ratelimit", "IPv4", limit))
    }
    if let limit = Machine.setting("net.ipv6.icmp.ratelimit"), limit > 0 {
      limits.append(("net.ipv6.icmp.ratelimit", "IPv6", limit))
    }
    guard !limits.isEmpty else { return works(name, "are not limited for each asker") }
    let rates = limits.map { "one in \($0.milliseconds) ms by \($0.family)" }
    return lessens(
      name,
      "after a few at once \(rates.joined(separator: ", ")) to each asker; further closed UDP ports "
        + "and `reject` then look dropped",
      help: "where this machine is asked: "
        + limits.map { "`sysctl -w \($0.setting)=0`" }.joined(separator: ", "))
  }

  /// Interfaces at which packets are dropped whose answers would leave by another.
  ///
  /// The larger of the settings for all and for the interface counts; ip-sysctl.rst.
  private static var reversePathFilter: DoctorFinding {
    let name = "rp_filter"
    let folder = "net/ipv4/conf/"
    let all = Machine.numbers(of: folder + "all/rp_filter")?.first ?? 0
    let strict = (Files.matching("/proc/sys/\(folder)*/rp_filter") ?? []).compactMap {
      path -> String? in
      guard let interface = path.split(separator: "/").dropLast().last.map(String.init),
        interface != "all", interface != "default",
        let own = Machine.numbers(of: folder + interface + "/rp_filter")?.first
      else { return nil }
      return max(all, own) == 1 ? interface : nil
    }
    guard !strict.isEmpty else {
      return works(name, "strict at no interface")
    }
    let help =
      all == 1
      ? "`sysctl -w net.ipv4.conf.all.rp_filter=2`"
      : strict.map { "`sysctl -w net/ipv4/conf/\($0)/rp_filter=2`" }.joined(separator: ", ")
    return lessens(
      name,
      "strict at \(strict.joined(separator: ", ")): IPv4 packets whose answers would leave by another "
        + "interface are dropped before a rule sees them", help: help)
  }

  private static var openFiles: DoctorFinding {
    do throws(Errno) {
      return openFiles(limit: try Privileges.raiseDescriptorLimit(to: 1 << 20))
    } catch {
      return lessens("open files", "how many there may be is not told: \(error)", help: nil)
    }
  }

  /// How many sockets there may be at once, of which every port wants one.
  static func openFiles(limit: Int) -> DoctorFinding {
    let name = "open files"
    // The program's own files come on top.
    let enough = 65_535 + 128
    guard limit < enough else { return works(name, "\(limit) at once") }
    return lessens(
      name,
      "\(limit) at once: so many connections are tried, and so many ports answer, at the same time",
      help: "`ulimit -n \(enough)` as root, or LimitNOFILE= of the service")
  }
}
