internal import LinuxKernel
internal import Simulation

/// The half of this module that runs in a child process of the tool.
package enum SandboxChild {
  /// The hidden only argument that makes the tool such a child.
  package static let argument = "--internal-sandbox"

  /// Answers requests until its parent has no more, and returns the exit status.
  package static func run() -> CInt {
    do throws(Errno) {
      try ChildProcess.limitThisProcess(memory: 8 << 30)
      let parent = try ChildProcess.Peer()
      var sandbox = KeptSandbox(parent: parent)
      try sandbox.serve()
      return 0
    } catch {
      // If the parent is gone there is nobody to tell.
      try? StandardStream.error.write("the sandbox's child: \(error)")
      return 1
    }
  }
}

/// A namespace with a host, a ruleset and probes, kept from one request to the next.
private struct KeptSandbox: ~Copyable {
  private let parent: ChildProcess.Peer
  private var isApart = false
  private var namespaces: HostNamespaces?

  init(parent: consuming ChildProcess.Peer) { self.parent = parent }

  mutating func serve() throws(Errno) {
    while let head = try parent.read(SandboxMessage.headSize) {
      var reader = OctetReader(bytes: head)
      let size = Int(reader.number())
      guard size <= SandboxMessage.limit, let content = try parent.read(size) else { return }
      let answer: [UInt8]
      do throws(SandboxError) {
        answer = try self.answer(to: reader.octet(), content)
      } catch {
        answer = SandboxMessage.answer(error)
      }
      try parent.write(answer)
    }
  }

  private mutating func answer(
    to kind: UInt8, _ content: [UInt8]
  ) throws(SandboxError) -> [UInt8] {
    let done = SandboxMessage.message(SandboxMessage.Status.done.rawValue) { _ in }
    switch SandboxMessage.Request(rawValue: kind) {
    case .host:
      var reader = OctetReader(bytes: content)
      let host = reader.host()
      guard reader.isComplete else { throw .childFailed(reason: "a host is not understood") }
      try settle(host)
      return done
    case .ruleset:
      try namespaces?.turn()
      try current().rules.load(content)
      return done
    case .packets: return try answer(toPackets: content)
    case .handles:
      let handles = try current().rules.handles()
      return SandboxMessage.message(SandboxMessage.Status.done.rawValue) {
        $0.write(UInt32(handles.count))
        for (chain, handles) in handles {
          $0.write(chain.family.kernelNumber)
          $0.write(chain.table)
          $0.write(chain.chain)
          $0.write(UInt32(handles.count))
          for handle in handles {
            $0.write(UInt32(truncatingIfNeeded: handle >> 32))
            $0.write(UInt32(truncatingIfNeeded: handle))
          }
        }
      }
    case .connections:
      var reader = OctetReader(bytes: content)
      let connections = (0..<reader.count()).map { _ in reader.connection() }
      guard reader.isComplete else {
        throw .childFailed(reason: "connections are not understood")
      }
      try current().rules.add(connections)
      return done
    case .interface:
      var reader = OctetReader(bytes: content)
      let name = reader.name()
      guard reader.isComplete else { throw .childFailed(reason: "a name is not understood") }
      namespaces?.addIdle(name)
      return done
    case .objects:
      var reader = OctetReader(bytes: content)
      var objects: [ArraySlice<UInt8>] = []
      for _ in 0..<reader.count() { objects.append(reader.octets()) }
      guard reader.isComplete else { throw .childFailed(reason: "objects are not understood") }
      try namespaces?.turn()
      let refused = try current().rules.firstRefused(of: objects)
      return SandboxMessage.message(SandboxMessage.Status.done.rawValue) {
        guard let refused else { return }
        $0.write(UInt32(refused.number))
        $0.write(refused.words)
      }
    case nil: throw .childFailed(reason: "a request of kind \(kind)")
    }
  }

  private mutating func answer(toPackets content: [UInt8]) throws(SandboxError) -> [UInt8] {
    var reader = OctetReader(bytes: content)
    let flags = reader.octet()
    let mode = ProbeTable.Mode(isTracing: flags & 1 != 0, isConfirming: flags & 2 != 0)
    let current = try current()
    try current.rules.setMode(mode)
    if mode.isTracing { try current.listenToTrace() }
    var steps: [[TraceStep]] = []
    guard
      let verdicts = try current.referee.verdicts(
        for: &reader,
        after: { () throws(SandboxError) in
          if mode.isTracing { steps.append(try current.takeTrace()) }
        }, alone: mode.isTracing, apart: mode.isConfirming)
    else { throw .childFailed(reason: "packets are not understood") }
    return SandboxMessage.message(SandboxMessage.Status.done.rawValue) {
      for verdict in verdicts {
        $0.write(verdict.entered)
        $0.write(verdict.left)
      }
      for steps in steps {
        $0.write(UInt32(steps.count))
        for step in steps { $0.write(step) }
      }
    }
  }

  private func current() throws(SandboxError) -> HostNamespace {
    guard let namespaces else { throw .childFailed(reason: "there is no host yet") }
    return namespaces.current
  }

  /// Moves to a new namespace with this host in it.
  private mutating func settle(_ host: Host) throws(SandboxError) {
    if let namespaces, namespaces.host == host { return try namespaces.replaceCurrent() }
    // What holds the namespaces of the last host goes first.
    namespaces = nil
    do throws(Namespaces.EntryError) {
      if !isApart {
        try Namespaces.enterUserNamespaceIfNeeded()
      }
    } catch {
      throw SandboxError(error)
    }
    // Behind the user namespace, which takes a process with one thread, and before the network
    // namespace, which the thread would otherwise keep.
    try keepApart()
    namespaces = try HostNamespaces(host)
  }

  private mutating func keepApart() throws(SandboxError) {
    guard !isApart else { return }
    do throws(Errno) {
      try parent.endWithParent()
      try ChildProcess.stayOnThisProcessor()
    } catch {
      throw .failed(step: "keeping to one processor", error)
    }
    isApart = true
  }
}
