internal import Addresses
internal import LinuxKernel
internal import Netfilter
package import Rulesets
package import Simulation

/// A sandbox that is kept: one ruleset after the other, any number of packets.
///
/// The process, its network namespaces and the interfaces are kept. A ruleset takes the place
/// of the one before, and starts with an empty connection table and sets, counters and limits as
/// it says. Packets go through it one after the other; what rules keep is kept from packet to
/// packet until the next ruleset.
///
/// ```swift
/// var session = try SandboxSession(host: host)
/// for ruleset in rulesets {
///   try session.load(ruleset)
///   let verdicts = try session.verdicts(for: packets)
/// }
/// ```
///
/// Nothing of the machine is changed. The sandbox ends with the value, and with the process that
/// holds it, however that ends.
package struct SandboxSession: ~Copyable, Sendable {
  private let executable: String
  private let timeout: Duration
  private var child: KeptChild?
  private var hasRuleset = false
  private var model: Ruleset?
  private var chains: LoadedChains?
  private var nextTag: UInt32 = 0
  private var plan: InterfacePlan
  /// Whether the namespace may hold more than a ruleset: fragments that wait for their like.
  private var isStale = false

  /// The host around the rulesets.
  package private(set) var host: Host

  /// The number of the process in which the sandbox is; nil where it has ended.
  package var processID: Int32? {
    switch child {
    case .some(let child): child.processID
    case nil: nil
    }
  }

  /// Starts a sandbox with a host in it.
  ///
  /// - Parameters:
  ///   - host: The interfaces, addresses, routes and settings.
  ///   - executable: The tool itself; another path is for tests.
  ///   - timeout: How long one answer may take.
  /// - Throws: ``SandboxError`` with what this environment does not allow.
  package init(
    host: Host, executable: String? = nil, timeout: Duration = .seconds(120)
  ) throws(SandboxError) {
    self.executable = executable ?? Machine.ownExecutable
    self.timeout = timeout
    self.host = host
    plan = InterfacePlan(host)
    try start()
  }

  /// Gives the sandbox another host; a ruleset must be loaded anew.
  ///
  /// - Throws: ``SandboxError`` with what could not be made.
  package mutating func replaceHost(_ host: Host) throws(SandboxError) {
    guard child != nil, !isStale, host == self.host else {
      self.host = host
      plan = InterfacePlan(host)
      return try start()
    }
  }

  /// Loads a ruleset in the place of the one before.
  ///
  /// A sandbox that has ended, as libnftables makes it do on some rulesets, is started anew.
  /// Interfaces that the ruleset wants to be there and the host lacks are added; they are down, and
  /// nothing comes in by them.
  ///
  /// - Parameters:
  ///   - ruleset: nft commands, or what `nft -j list ruleset` prints.
  ///   - model: The same as the model has it. A listing that nft does not take back, which it does
  ///     not of all that it lists, is then printed as text, if the model covers all of it.
  /// - Throws: ``SandboxError/rejected(_:)`` or ``SandboxError/crashed(signal:words:)`` where
  ///   it cannot be loaded; then there is none.
  package mutating func load(
    _ ruleset: [UInt8], model: Ruleset? = nil
  ) throws(SandboxError) {
    hasRuleset = false
    self.model = model
    chains = nil
    let listing = ListingOrder(ruleset)
    do throws(SandboxError) {
      try load(bytes: listing?.bytes ?? ruleset, listing)
    } catch {
      switch error {
      case .rejected, .crashed: break
      default: throw error
      }
      guard listing != nil, let model, RulesetPrinter.gaps(in: model).isEmpty else { throw error }
      do throws(SandboxError) {
        try load(bytes: Array(RulesetPrinter().text(of: model).utf8), nil)
      } catch .rejected {
        // The listing is what the user knows.
        throw error
      }
    }
    hasRuleset = true
  }

  /// Loads a ruleset, and gives it the interfaces that it lacks as long as that helps.
  private mutating func load(
    bytes: [UInt8], _ listing: ListingOrder?
  ) throws(SandboxError) {
    var given: Set<String> = []
    while true {
      if child == nil || isStale { try start() }
      let rejection: RulesetRejection
      do throws(SandboxError) {
        _ = try ask(
          SandboxMessage.message(SandboxMessage.Request.ruleset.rawValue) { $0.append(bytes) })
        return
      } catch {
        guard case .rejected(let found) = error else { throw error }
        rejection = if let listing { try located(found, in: listing) } else { found }
      }
      let missing = Set(Self.missingInterfaces(rejection, isListing: listing != nil, bytes))
        .subtracting(given)
      guard !missing.isEmpty else { throw .rejected(rejection) }
      for name in missing.sorted().compactMap({ InterfaceName($0) }) {
        _ = try ask(
          SandboxMessage.message(SandboxMessage.Request.interface.rawValue) { $0.write(name) })
      }
      given.formUnion(missing)
    }
  }

  private static func missingInterfaces(
    _ rejection: RulesetRejection, isListing: Bool, _ bytes: [UInt8]
  ) -> [String] {
    if rejection.reason == "Interface does not exist" {
      if isListing { return DeviceNames.strings(in: rejection.statement ?? "") }
      return NftMessage.parse(rejection.words).compactMap(\.missingInterface)
    }
    guard rejection.reason.hasSuffix("No such file or directory") else { return [] }
    return DeviceNames.devices(in: String(decoding: bytes, as: UTF8.self))
  }

  /// Finds the object of a listing that is refused, of which nft says nothing.
  private mutating func located(
    _ rejection: RulesetRejection, in listing: ListingOrder
  ) throws(SandboxError) -> RulesetRejection {
    let answer = try ask(
      SandboxMessage.message(SandboxMessage.Request.objects.rawValue) {
        $0.write(UInt32(listing.objects.count))
        for object in listing.objects { $0.write(Array(object)) }
      })
    guard !answer.isEmpty else { return rejection }
    var reader = OctetReader(bytes: answer)
    let number = Int(reader.number())
    guard listing.objects.indices.contains(number) else { return rejection }
    return RulesetRejection(
      words: reader.text(), statement: String(decoding: listing.objects[number], as: UTF8.self))
  }

  /// Sends packets through the ruleset, one after the other.
  ///
  /// No packet is answered by a program.
  ///
  /// - Parameters:
  ///   - packets: The packets.
  ///   - confirming: Whether what the ruleset lets through goes on its way. Only then does the
  ///     connection table keep its connection, and only then do packets reach egress; of what the
  ///     host sends to itself it always does.
  ///     What the kernel itself would answer is dropped before any rule.
  /// - Returns: The verdicts, in the order of the packets.
  /// - Throws: ``SandboxError`` where the kernel could not be asked; then no ruleset is loaded.
  package mutating func verdicts(
    for packets: [SandboxPacket], confirming: Bool = false
  ) throws(SandboxError) -> [HookVerdicts] {
    var verdicts: [HookVerdicts] = []
    verdicts.reserveCapacity(packets.count)
    try exchange(packets, ProbeTable.Mode(isConfirming: confirming)) { answer, count in
      Self.append(answer, count, to: &verdicts)
      return answer.count == 2 * count
    }
    return verdicts
  }

  /// Sends packets through the ruleset like ``verdicts(for:confirming:)``, and traces them.
  ///
  /// Each is waited for by itself, so this is for dozens of packets rather than for thousands.
  ///
  /// - Returns: The verdicts and the rules, in the order of the packets.
  /// - Throws: ``SandboxError`` where the kernel could not be asked; then no ruleset is loaded.
  package mutating func answers(
    for packets: [SandboxPacket], tracing: Bool = true, confirming: Bool = false
  ) throws(SandboxError) -> [SandboxAnswer] {
    guard tracing else {
      return try verdicts(for: packets, confirming: confirming).map {
        SandboxAnswer(verdicts: $0, trace: [])
      }
    }
    let chains = try loadedChains()
    var answers: [SandboxAnswer] = []
    let mode = ProbeTable.Mode(isTracing: true, isConfirming: confirming)
    try exchange(packets, mode) { answer, count in
      guard answer.count >= 2 * count else { return false }
      var verdicts: [HookVerdicts] = []
      Self.append(answer, count, to: &verdicts)
      var reader = OctetReader(bytes: Array(answer[(2 * count)...]))
      for verdict in verdicts {
        var steps: [TraceStep] = []
        for _ in 0..<reader.count() {
          guard var step = reader.traceStep() else { return false }
          step.location = chains?.location(of: step)
          steps.append(step)
        }
        answers.append(SandboxAnswer(verdicts: verdict, trace: steps))
      }
      return reader.isComplete
    }
    return answers
  }

  private static func append(
    _ answer: [UInt8], _ count: Int, to verdicts: inout [HookVerdicts]
  ) {
    for index in 0..<min(count, answer.count / 2) {
      verdicts.append(HookVerdicts(entered: answer[2 * index], left: answer[2 * index + 1]))
    }
  }

  /// Adds flows that were there before the packets to the connection table.
  ///
  /// - Throws: ``SandboxError`` where the kernel does not take one, as of a flow that is there.
  package mutating func add(_ connections: [SandboxConnection]) throws(SandboxError) {
    guard hasRuleset else { throw .nothingLoaded }
    _ = try ask(
      SandboxMessage.message(SandboxMessage.Request.connections.rawValue) {
        $0.write(UInt32(connections.count))
        for connection in connections { $0.write(connection) }
      })
  }

  /// Where the rules of the sandbox are in the model; nil where none was given.
  private mutating func loadedChains() throws(SandboxError) -> LoadedChains? {
    guard hasRuleset else { throw .nothingLoaded }
    guard let model, chains == nil else { return chains }
    var reader = OctetReader(
      bytes: try ask(SandboxMessage.message(SandboxMessage.Request.handles.rawValue) { _ in }))
    var handles: [LoadedChains.Key: [UInt64]] = [:]
    for _ in 0..<reader.count() {
      let number = reader.octet()
      let (table, chain) = (reader.text(), reader.text())
      let list = (0..<reader.count()).map { _ in
        UInt64(reader.number()) << 32 | UInt64(reader.number())
      }
      guard let family = Family(kernelNumber: number) else { continue }
      handles[LoadedChains.Key(family: family, table: table, chain: chain)] = list
    }
    guard reader.isComplete else { throw .childFailed(reason: "an answer is cut short") }
    chains = LoadedChains(handles, model)
    return chains
  }

  private mutating func exchange(
    _ packets: [SandboxPacket], _ mode: ProbeTable.Mode,
    _ take: (_ answer: [UInt8], _ count: Int) -> Bool
  ) throws(SandboxError) {
    guard hasRuleset else { throw .nothingLoaded }
    do throws(SandboxError) {
      // While the child works on one part of the packets the next is on its way.
      var sent = 0
      var waiting: [Int] = []
      while sent < packets.count || !waiting.isEmpty {
        if sent < packets.count, waiting.count < 2 {
          let part = packets[sent..<min(sent + PacketTrain.length, packets.count)]
          if !isStale { isStale = part.contains(where: \.mayStay) }
          let request = try PacketTrain.request(part, tag: nextTag, plan, mode)
          nextTag &+= UInt32(part.count)
          try send(request)
          sent += part.count
          waiting.append(part.count)
          continue
        }
        guard take(try receive(), waiting.removeFirst()) else {
          throw .childFailed(reason: "an answer is cut short")
        }
      }
    } catch {
      // Some of the packets may have gone through, and answers may be on their way.
      child = nil
      hasRuleset = false
      throw error
    }
  }

  /// Gives a child, the one there is or a new one, the host in a new namespace.
  private mutating func start() throws(SandboxError) {
    hasRuleset = false
    isStale = false
    if child == nil {
      do throws(Errno) {
        child = try KeptChild(executable, [SandboxChild.argument])
      } catch {
        throw .childFailed(reason: "\(executable): \(error)")
      }
    }
    let host = host
    _ = try ask(SandboxMessage.message(SandboxMessage.Request.host.rawValue) { $0.write(host) })
  }

  private mutating func ask(_ request: [UInt8]) throws(SandboxError) -> [UInt8] {
    try send(request)
    return try receive()
  }

  private mutating func send(_ request: [UInt8]) throws(SandboxError) {
    do throws(Errno) {
      try child?.send(request, until: Clocks.monotonic + timeout)
    } catch {
      throw end(after: error)
    }
  }

  private mutating func receive() throws(SandboxError) -> [UInt8] {
    let deadline = Clocks.monotonic + timeout
    let kind: UInt8
    let content: [UInt8]
    do throws(Errno) {
      var head = OctetReader(
        bytes: try child?.receive(SandboxMessage.headSize, until: deadline) ?? [])
      let size = Int(head.number())
      kind = head.octet()
      guard size <= SandboxMessage.limit else { throw .protocolError }
      content = try child?.receive(size, until: deadline) ?? []
    } catch {
      throw end(after: error)
    }
    if let error = SandboxMessage.error(kind, content) { throw error }
    return content
  }

  /// Takes leave of a child that does not answer any more.
  ///
  /// - Returns: What became of it.
  private mutating func end(after error: Errno) -> SandboxError {
    hasRuleset = false
    guard let child = child.take() else { return .childFailed(reason: "\(error)") }
    do throws(Errno) {
      let (ending, errors) = try child.end(isStopped: error != .brokenPipe)
      if error == .timedOut { return .timedOut(after: timeout) }
      var words = String(decoding: errors, as: UTF8.self)
      while words.last?.isNewline == true { words.removeLast() }
      switch ending {
      case .signalled(let signal): return .crashed(signal: signal, words: words)
      case .exited(let status):
        return .childFailed(reason: words.isEmpty ? "exit status \(status)" : words)
      case .timedOut, .wroteTooMuch: return .childFailed(reason: "\(error)")
      }
    } catch {
      return .childFailed(reason: "\(error)")
    }
  }
}
