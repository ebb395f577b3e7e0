internal import Addresses
internal import LinuxKernel

/// Has the kernel connect, which needs no privilege.
///
/// Every transmission is a connection of its own, from a fresh port unless the probe has one. The
/// earlier ones of a probe stay open until the probe has ended, as a late answer is one too, unless
/// descriptors run out; the kernel repeats their SYNs by itself after a second, and those count as
/// transmissions. What
/// `connect(2)` cannot tell: that a rule of this machine dropped a SYN on its way out, and who sent
/// a reset.
struct ConnectTransport: ~Copyable {
  private struct Attempt {
    var probe: Int
    var port: UInt16
  }

  private let probes: [Probe]
  private let segmentSize: UInt16
  private let most: Int
  private var connections: Connections
  private var attempts: [Connections.Handle: Attempt] = [:]
  private var handles: [Int: [Connections.Handle]] = [:]
  /// By probe, the first one that asks the same from the same port.
  var twins: [Int: Int] = [:]
  /// Which of several twins has a connection now, by the first of them.
  private var busy: [Int: Int] = [:]
  /// Repetitions by the kernel of attempts that have ended, by probe.
  private var repetitions: [Int: Int] = [:]

  /// - Parameters:
  ///   - probes: All of the run.
  ///   - key: The run's.
  ///   - most: How many connections may be open at once; nil for as many as the system allows.
  /// - Throws: What the kernel refused.
  init(_ probes: [Probe], key: RunKey, most: Int? = nil) throws(Errno) {
    let opened = try Connections()
    let wanted = probes.reduce(0) { $0 + max(1, $1.transmissions) }
    // Some are others': the program's own files, the capture.
    let limit = try Privileges.raiseDescriptorLimit(to: min(wanted, 1 << 20) + 128)
    self.probes = probes
    segmentSize = key.maximumSegmentSize
    connections = opened
    self.most = most ?? max(16, limit - 128)
  }

  var selectableDescriptor: CInt { connections.selectableDescriptor }

  /// Begins a connection.
  ///
  /// - Returns: What came of it, and the port that it was sent from.
  mutating func send(_ index: Int) -> (Sending, port: UInt16?) {
    let probe = probes[index]
    // A port that was asked for is used for one connection at a time.
    if probe.sourcePort != nil {
      end(index)
      guard busy[twins[index] ?? index] == nil else { return (.later, nil) }
    }
    if connections.count >= most {
      // The earlier attempts of a probe make room for its next; otherwise all would wait for all.
      guard handles[index]?.isEmpty == false else { return (.later, nil) }
      end(index)
    }
    do throws(Errno) {
      let (handle, port) = try connections.begin(
        from: Endpoint(probe.source, port: probe.sourcePort ?? 0),
        to: Endpoint(probe.destination, port: probe.port), segmentSize: segmentSize)
      attempts[handle] = Attempt(probe: index, port: port)
      handles[index, default: []].append(handle)
      if probe.sourcePort != nil { busy[twins[index] ?? index] = index }
      return (.sent, port)
    } catch {
      guard Self.isShortage(error) else { return (.refused(error), nil) }
      end(index)
      // With none open, none ends and makes room.
      return (connections.count > 0 ? .later : .refused(error), nil)
    }
  }

  private static func isShortage(_ error: Errno) -> Bool {
    switch error {
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .outOfMemory, .noBufferSpace: true
    default: false
    }
  }

  /// Takes everything that came back.
  mutating func receive(_ findings: inout [Finding]) throws(Errno) {
    var ready: [Connections.Handle] = []
    var isMore = true
    while isMore {
      ready.removeAll(keepingCapacity: true)
      isMore = try connections.takeReady { ready.append($0) }
      for handle in ready { look(at: handle, &findings) }
    }
  }

  private mutating func look(at handle: Connections.Handle, _ findings: inout [Finding]) {
    guard let attempt = attempts[handle] else { return }
    let answer: Observation.Answer
    switch connections.state(of: handle) {
    case .waiting: return
    case .established: answer = .synAcknowledgement
    case .failed(_, let message?):
      answer = .icmpError(
        type: message.type, code: message.code, sender: message.sender.address)
    case .failed(.connectionRefused, nil): answer = .reset
    case .failed(.timedOut, nil):
      // The kernel gave up before we did.
      close(handle)
      return
    case .failed(let error, nil): answer = .failed(error)
    }
    findings.append(Finding(probe: attempt.probe, answer: answer, port: attempt.port))
    close(handle)
  }

  private mutating func close(_ handle: Connections.Handle) {
    guard let attempt = attempts.removeValue(forKey: handle) else { return }
    let count = connections.repetitions(of: handle)
    if count > 0 { repetitions[attempt.probe, default: 0] += count }
    handles[attempt.probe]?.removeAll { $0 == handle }
    connections.end(handle)
    busy[twins[attempt.probe] ?? attempt.probe] = nil
  }

  /// Ends what is left of a probe.
  mutating func end(_ probe: Int) {
    for handle in handles[probe] ?? [] { close(handle) }
    handles[probe] = nil
  }

  /// How often the kernel sent a probe's SYNs again, once the probe has ended; then counts anew.
  mutating func takeRepetitions(of probe: Int) -> Int {
    repetitions.removeValue(forKey: probe) ?? 0
  }
}
