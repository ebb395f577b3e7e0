import Addresses

extension Resolver {
  /// The addresses that probes may be sent to.
  ///
  /// They are those of hosts, and those of groups that name a host, as far as they lie in pieces
  /// of no more than 256 addresses. What a group without a host holds is somebody else's, as far as
  /// the file tells.
  mutating func probeTargets() -> AddressSet {
    var targets = AddressSet.empty
    for key in order {
      guard let declaration = declarations[key] else { continue }
      switch declaration.kind {
      case .host:
        targets = targets.union(addresses(named: declaration.name) ?? .empty)
      case .group(let set):
        var visited: Set<String> = [key]
        guard namesHost(set, &visited), let addresses = addresses(named: declaration.name) else {
          continue
        }
        targets = targets.union(
          AddressSet(ipv4: addresses.ipv4.smallPieces, ipv6: addresses.ipv6.smallPieces))
      case .service:
        break
      }
    }
    return targets
  }

  /// Whether a host is among the members of a set, or of a group in it.
  private func namesHost(_ set: SetSyntax, _ visited: inout Set<String>) -> Bool {
    for atom in set.atoms {
      switch atom.kind {
      case .name(let text):
        let key = text.lowercased()
        guard let declaration = declarations[key], visited.insert(key).inserted else { continue }
        switch declaration.kind {
        case .host: return true
        case .group(let inner): if namesHost(inner, &visited) { return true }
        case .service: break
        }
      case .braces(let inner):
        if namesHost(inner, &visited) { return true }
      case .address, .prefix, .range, .any, .this, .invalid:
        break
      }
    }
    return false
  }
}

extension IntervalSet {
  /// The intervals of no more than a /24 or a /120.
  fileprivate var smallPieces: IntervalSet {
    IntervalSet(intervals.filter { $0.upper - $0.lower < 256 })
  }
}
