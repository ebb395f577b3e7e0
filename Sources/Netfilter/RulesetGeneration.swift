internal import LinuxKernel

/// The number of the ruleset's generation, which every change to it raises.
///
/// Source: net/netfilter/nf_tables_api.c, `nf_tables_getgen`.
enum RulesetGeneration {
  /// The generation of this network namespace's ruleset; nil where the kernel does not say.
  static var current: UInt32? {
    // nfnetlink: the subsystem in the upper octet; the answer is a NFT_MSG_NEWGEN.
    var request = NetlinkMessage(type: Self.getGeneration)
    // struct nfgenmsg: any family, version 0, resource 0.
    for _ in 0..<4 { request.append(UInt8(0)) }
    var generation: UInt32?
    do throws(Errno) {
      let socket = try NetlinkSocket(.netfilter, patience: .seconds(5))
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = try socket.ask(request, into: &buffer)
      let reader = NetlinkReader(bytes: buffer, count: count)
      reader.forEachMessage { start, end in
        guard reader.uint16(at: start + 4) == Self.newGeneration else { return }
        reader.forEachAttribute(from: start + 20, to: end) { type, value in
          // NFTA_GEN_ID, in network order.
          guard type == 1, value.count == 4 else { return }
          generation = value.reduce(0) { $0 << 8 | UInt32(reader.bytes[$1]) }
        }
      }
    } catch {
      return nil
    }
    return generation
  }

  private static let getGeneration: UInt16 = 10 << 8 | 16
  private static let newGeneration: UInt16 = 10 << 8 | 15
}
