import Addresses

/// Which packets of *sources × destinations* a flow is about.
struct Coverage {
  /// Why a flow is about no packet.
  enum Gap {
    /// The two sides have no family in common, or not the one that the line asks about.
    case family
    /// No service exists in the families that both sides have.
    case service
    /// All that is left is traffic of a host with itself.
    case itself
  }

  var families: Set<IPFamily>
  var sharedHosts: [AddressSet]
  var gap: Gap?
}

extension Flow {
  /// The families that both sides have.
  var commonFamilies: Set<IPFamily> {
    Set(IPFamily.allCases.filter { !sources[$0].isEmpty && !destinations[$0].isEmpty })
  }
}

extension Resolver {
  /// Which families and hosts count for a flow.
  func coverage(of flow: Flow, _ wanted: IPFamily?) -> Coverage {
    var families = flow.commonFamilies
    if let wanted { families.formIntersection([wanted]) }
    guard !families.isEmpty else { return Coverage(families: [], sharedHosts: [], gap: .family) }
    families = families.filter { family in
      flow.services.contains { $0.kind.family == nil || $0.kind.family == family }
    }
    guard !families.isEmpty else { return Coverage(families: [], sharedHosts: [], gap: .service) }
    let shared = hosts.filter { host in
      families.contains { family in
        host[family].overlaps(flow.sources[family])
          && host[family].overlaps(flow.destinations[family])
      }
    }
    families = families.filter { family in
      !isOneHost(flow.sources[family], flow.destinations[family], shared, family)
    }
    return Coverage(
      families: families, sharedHosts: shared, gap: families.isEmpty ? .itself : nil)
  }

  /// Whether every packet between the two sides is from a host to itself.
  private func isOneHost(
    _ sources: IntervalSet, _ destinations: IntervalSet, _ shared: [AddressSet], _ family: IPFamily
  ) -> Bool {
    if let source = sources.onlyValue, source == destinations.onlyValue { return true }
    return shared.contains {
      sources.isSubset(of: $0[family]) && destinations.isSubset(of: $0[family])
    }
  }

  /// Whether any packet between the two sides is asked about.
  func isAsked(_ sources: AddressSet, _ destinations: AddressSet, _ family: IPFamily) -> Bool {
    let sources = sources[family]
    let destinations = destinations[family]
    return !sources.isEmpty && !destinations.isEmpty
      && !isOneHost(sources, destinations, hosts, family)
  }
}
