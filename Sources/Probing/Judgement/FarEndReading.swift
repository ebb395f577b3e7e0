internal import Addresses

extension FarEndReport {
  /// What the far end told, ready to be asked about one probe after another.
  package struct Index {
    fileprivate struct Key: Hashable {
      var source: IPAddress
      var destination: IPAddress
      var kind: Probe.Kind
    }

    private let report: FarEndReport
    private var arrivals: [Key: [Int]] = [:]
    private var acceptances: Set<Key> = []

    package init(_ report: FarEndReport) {
      self.report = report
      for sighting in report.arrivals {
        let packets = sighting.packet.map { [$0] } ?? []
        arrivals[Key(sighting), default: []] += packets
      }
      for sighting in report.acceptances { acceptances.insert(Key(sighting)) }
    }

    /// What is known there of a probe.
    package func view(of probe: Probe) -> FarView {
      let key = Key(
        source: probe.source, destination: probe.destination, kind: probe.kind)
      let isAccepted = acceptances.contains(key)
      // A capture that lost packets cannot say that something did not arrive.
      let isBlind = report.blindBecause != nil
      let seen = arrivals[key]
      let hasArrived: Bool? =
        if seen != nil || isAccepted { true } else if isBlind || report.lostCaptures > 0 {
          nil
        } else { false }
      return FarView(
        listener: listener(of: probe), hasArrived: hasArrived, isAccepted: isAccepted,
        limitsICMPErrors: limit(probe.destination.family).map { $0 > 0 }, packets: seen ?? [],
        captureFile: report.capture.map { "\(report.host):\($0)" })
    }

    private func listener(of probe: Probe) -> FarView.Listener {
      switch probe.kind {
      case .tcp(let port): listener(port, bound: report.boundTCP, taken: report.takenTCP)
      case .udp(let port): listener(port, bound: report.boundUDP, taken: report.takenUDP)
      case .icmp: .unknown
      }
    }

    private func listener(
      _ port: UInt16, bound: IntervalSet, taken: IntervalSet
    ) -> FarView.Listener {
      if taken.contains(UInt128(port)) { return .service }
      return bound.contains(UInt128(port)) ? .responder : .nobody
    }

    private func limit(_ family: IPFamily) -> Int? {
      switch family {
      case .ipv4: report.icmpRateLimit
      case .ipv6: report.icmpv6RateLimit
      }
    }
  }
}

extension FarEndReport.Index.Key {
  fileprivate init(_ sighting: FarEndReport.Sighting) {
    self.init(
      source: sighting.source, destination: sighting.destination, kind: sighting.kind)
  }
}
