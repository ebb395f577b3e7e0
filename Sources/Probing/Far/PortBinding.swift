internal import Addresses
internal import LinuxKernel

/// Every socket of an assignment, and what could not be had.
struct PortBinding: ~Copyable {
  /// What a socket is bound to.
  struct Place {
    var address: IPAddress
    var transport: BoundSockets.Transport
    var port: UInt16
  }

  var sockets: BoundSockets
  /// The places of the sockets, by their numbers.
  private(set) var places: [Place] = []
  private(set) var boundTCP: IntervalSet = .empty
  private(set) var boundUDP: IntervalSet = .empty
  private(set) var takenTCP: IntervalSet = .empty
  private(set) var takenUDP: IntervalSet = .empty
  private(set) var refusals: [ResponderEvent.Refusal] = []

  /// Binds what the assignment names.
  ///
  /// - Throws: What the kernel refuses before the first socket.
  init(_ assignment: Assignment) throws(Errno) {
    sockets = try BoundSockets()
    // Where more cannot be had, binding says which ports that left out.
    _ = try? BoundSockets.raiseDescriptorLimit()
    (boundTCP, takenTCP) = bind(assignment.tcpPorts, .stream, assignment)
    (boundUDP, takenUDP) = bind(assignment.udpPorts, .datagrams, assignment)
  }

  private mutating func bind(
    _ ports: IntervalSet, _ transport: BoundSockets.Transport, _ assignment: Assignment
  ) -> (bound: IntervalSet, taken: IntervalSet) {
    guard !ports.isEmpty else { return (.empty, .empty) }
    // Read before the first of ours is there.
    let listeners = Listeners(transport)
    var bound = ports
    var taken = PortList()
    var seen: Set<IPAddress> = []
    for address in assignment.addresses where seen.insert(address).inserted {
      var failures: [String: PortList] = [:]
      let filter: SocketFilter? =
        switch transport {
        case .stream: assignment.listenerFilter(for: address.family)
        case .datagrams: assignment.datagramFilter
        }
      var isBound = PortList()
      for port in ports.intervals.lazy.flatMap({ UInt16($0.lower)...UInt16($0.upper) }) {
        guard let filter else {
          failures["there are more peers than a filter can name", default: PortList()].add(port)
          continue
        }
        let place = Place(address: address, transport: transport, port: port)
        do throws(Errno) {
          try sockets.open(transport, at: place.socketAddress, filter)
          places.append(place)
          isBound.add(port)
        } catch {
          if error == .addressInUse {
            if listeners.listens(at: place.socketAddress) {
              taken.add(port)
            } else {
              failures["a connection of this host uses it, and nobody listens", default: PortList()]
                .add(port)
            }
          } else {
            failures[error.description, default: PortList()].add(port)
          }
        }
      }
      bound = bound.intersection(isBound.set)
      for (reason, ports) in failures.sorted(by: { $0.key < $1.key }) {
        refusals.append(
          .init(transport == .stream ? .tcp : .udp, address, ports.set, because: reason))
      }
    }
    return (bound, taken.set)
  }
}

/// Ports that come mostly in rising order.
private struct PortList {
  private var intervals: [Interval] = []

  mutating func add(_ port: UInt16) {
    let port = UInt128(port)
    if let last = intervals.last, last.upper + 1 == port {
      intervals[intervals.count - 1].upper = port
    } else {
      intervals.append(Interval(port))
    }
  }

  var set: IntervalSet { IntervalSet(intervals) }
}

extension PortBinding.Place {
  var socketAddress: SocketAddress {
    SocketAddress(isIPv6: address.family == .ipv6, number: address.rawValue, port: port)
  }
}

/// Who takes what comes to a port.
private struct Listeners {
  private var addresses: [UInt16: Set<SocketAddress>] = [:]

  init(_ transport: BoundSockets.Transport) {
    let entries =
      switch transport {
      case .stream: try? SocketTable.entries(in: .listening)
      case .datagrams: try? SocketTable.entries(in: .unconnected)
      }
    for entry in entries ?? [] { addresses[entry.local.port, default: []].insert(entry.local) }
  }

  /// Whether somebody listens at the address, or at every address.
  func listens(at address: SocketAddress) -> Bool {
    let found = addresses[address.port] ?? []
    return found.contains { other in
      other.number == 0 || other.isIPv6 == address.isIPv6 && other.number == address.number
        || other.isIPv6 && !address.isIPv6 && other.number == 0xFFFF << 32 | address.number
    }
  }
}
