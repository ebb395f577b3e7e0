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

  var families: Set<IPFamily> = []
  var sharedHosts: [AddressSet] = []
  var gap: Gap?

  /// - Parameters:
  ///   - flow: A flow whose sides and services are known.
  ///   - wanted: The family that the line asks about; nil for both.
  ///   - hosts: The hosts with several addresses.
  init(of flow: Flow, _ wanted: IPFamily?, hosts: [AddressSet]) {
    var hasFamily = false
    var hasService = false
    for family in IPFamily.allCases where wanted == nil || wanted == family {
      let sources = flow.sources[family]
      let destinations = flow.destinations[family]
      guard !sources.isEmpty, !destinations.isEmpty else { continue }
      hasFamily = true
      guard flow.services.contains(where: { $0.kind.exists(in: family) }) else { continue }
      hasService = true
      let shared = hosts.filter {
        $0[family].overlaps(sources) && $0[family].overlaps(destinations)
      }
      guard !isOneHost(sources, destinations, shared, family) else { continue }
      families.insert(family)
      for host in shared where !sharedHosts.contains(host) { sharedHosts.append(host) }
    }
    gap = !hasFamily ? .family : !hasService ? .service : families.isEmpty ? .itself : nil
  }
}

/// Whether every packet between the two sides is from a host to itself.
func isOneHost(
  _ sources: IntervalSet, _ destinations: IntervalSet, _ hosts: [AddressSet], _ family: IPFamily
) -> Bool {
  if let source = sources.onlyValue, source == destinations.onlyValue { return true }
  return hosts.contains {
    sources.isSubset(of: $0[family]) && destinations.isSubset(of: $0[family])
  }
}

extension Flow {
  /// The families that both sides have.
  var commonFamilies: Set<IPFamily> {
    Set(IPFamily.allCases.filter { !sources[$0].isEmpty && !destinations[$0].isEmpty })
  }
}
