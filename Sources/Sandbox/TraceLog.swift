internal import LinuxKernel
import Rulesets

/// What the kernel tells of packets that are traced.
///
/// Source: include/uapi/linux/netfilter/nf_tables.h, `nft_trace_attributes`;
/// net/netfilter/nf_tables_trace.c.
struct TraceLog: ~Copyable {
  private let socket: NetlinkSocket
  private var buffer: [UInt8]

  init() throws(SandboxError) {
    let socket = try attempting("opening the trace") { () throws(Errno) in
      try NetlinkSocket(.netfilter, patience: .seconds(10))
    }
    do throws(Errno) {
      try socket.join(group: 9)  // NFNLGRP_NFTRACE
    } catch {
      throw .failed(step: "opening the trace", error)
    }
    self.socket = socket
    buffer = [UInt8](repeating: 0, count: 1 << 16)
  }

  /// The steps of the one packet that went through since the last call.
  ///
  /// The probes are traced like the ruleset, and tell which hook comes. When one is entered again
  /// it is by an answer that came back in, which is no part of this.
  ///
  /// - Throws: ``SandboxError/failed(step:_:)`` where a step was lost.
  mutating func take() throws(SandboxError) -> [TraceStep] {
    var steps: [TraceStep] = []
    var hook: Hook?
    var seen: Set<Hook> = []
    var isOver = false
    while true {
      let count: Int?
      do throws(Errno) {
        count = try socket.receiveAtOnce(into: &buffer)
      } catch {
        throw .failed(step: "reading the trace", error)
      }
      guard let count else { return steps }
      let reader = NetlinkReader(bytes: Array(buffer[..<count]), count: count)
      reader.forEachMessage { start, end in
        // NFNL_SUBSYS_NFTABLES is 10, NFT_MSG_TRACE 17.
        guard reader.uint16(at: start + 4) == 10 << 8 | 17, end >= start + 20, !isOver,
          let step = Self.step(reader, from: start, to: end)
        else { return }
        if step.table == ProbeTable.name {
          let name = step.chain.split(separator: "_")
          guard name.count == 2, name[1] == "first", let next = Hook(rawValue: String(name[0])),
            next != hook
          else { return }
          isOver = !seen.insert(next).inserted
          hook = next
        } else if let hook {
          var step = step
          step.hook = hook
          // Before a policy, the end of its chain is told too.
          if step.cause == .policy, let last = steps.last, last.cause == .endOfChain,
            last.chain == step.chain, last.table == step.table, last.family == step.family
          {
            steps.removeLast()
          }
          steps.append(step)
        }
      }
    }
  }

  private static func step(_ reader: NetlinkReader, from start: Int, to end: Int) -> TraceStep? {
    guard let family = Family(kernelNumber: reader.bytes[start + 16]) else { return nil }
    var step = TraceStep(
      hook: .prerouting, family: family, table: "", chain: "", cause: .endOfChain,
      decision: .continue)
    var type: UInt32 = 0
    var handle: UInt64?
    var policy: UInt32?
    var verdict: (code: UInt32, chain: String)?
    func text(_ range: Range<Int>) -> String {
      String(decoding: reader.bytes[range].prefix { $0 != 0 }, as: UTF8.self)
    }
    func number(_ range: Range<Int>) -> UInt32 { reader.uint32(at: range.lowerBound).bigEndian }
    reader.forEachAttribute(from: start + 20, to: end) { attribute, value in
      switch attribute {
      case 1: step.table = text(value)
      case 2: step.chain = text(value)
      case 3 where value.count == 8:
        handle =
          UInt64(number(value)) << 32
          | UInt64(reader.uint32(at: value.lowerBound + 4).bigEndian)
      case 4 where value.count == 4: type = number(value)
      case 5:
        var code: UInt32 = 0
        var chain = ""
        reader.forEachAttribute(from: value.lowerBound, to: value.upperBound) { inner, value in
          switch inner {
          case 1 where value.count == 4: code = number(value)  // NFTA_VERDICT_CODE
          case 2: chain = text(value)  // NFTA_VERDICT_CHAIN
          default: break
          }
        }
        verdict = (code, chain)
      case 16 where value.count == 4: policy = number(value)
      default: break
      }
    }
    switch type {
    case 1:  // NFT_TRACETYPE_POLICY
      step.cause = .policy
      step.decision = decision(policy ?? 1, "")
    case 2, 3:  // NFT_TRACETYPE_RETURN, NFT_TRACETYPE_RULE
      step.cause = handle.map { .rule(handle: $0) } ?? .endOfChain
      step.decision = decision(verdict?.code ?? 0, verdict?.chain ?? "")
    default: return nil
    }
    return step
  }

  /// Source: include/uapi/linux/netfilter.h, `NF_…`; nf_tables.h, `nft_verdicts`.
  private static func decision(_ code: UInt32, _ chain: String) -> TraceStep.Decision {
    switch Int32(bitPattern: code) {
    case 1: .accept
    case -1: .continue
    case -3: .jump(chain)
    case -4: .goto(chain)
    case -5: .return
    default:
      switch code & 0xFF {
      // The rest of a drop's number is an errno.
      case 0: .drop
      case 3: .queue(UInt16(truncatingIfNeeded: code >> 16))
      default: .other(Int32(bitPattern: code))
      }
    }
  }
}
