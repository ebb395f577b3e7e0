internal import Addresses
internal import CPcap

/// A handle of libpcap: an interface that is captured at, or a capture file that is read.
///
/// It is closed when the value ends.
@safe
struct PcapHandle: ~Copyable {
  private let raw: OpaquePointer

  private init(owning raw: OpaquePointer) { unsafe self.raw = raw }

  deinit { unsafe pcap_close(raw) }

  /// A packet as libpcap hands it out, from its link header on.
  struct Frame {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    var timestamp: UInt64
    /// How many bytes it had on the wire.
    var originalByteCount: Int
  }

  /// What came of asking for the next packet.
  enum Step {
    case packet
    /// No packet is there now.
    case nothing
    /// The file has no more.
    case end
    case failure
  }

  // Opening

  /// - Throws: ``CaptureError`` with the step that was refused.
  static func live(
    _ interface: InterfaceName, _ settings: LiveCapture.Settings
  ) throws(CaptureError) -> PcapHandle {
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    guard let raw = unsafe pcap_create(interface.description, &message) else {
      throw .openingFailed(interface, step: .creating, message: text(message))
    }
    let handle = unsafe PcapHandle(owning: raw)
    for status in unsafe [
      pcap_set_snaplen(raw, CInt(clamping: settings.snapshotLength)),
      pcap_set_promisc(raw, 0),
      pcap_set_buffer_size(raw, CInt(clamping: settings.bufferByteCount)),
      handle.set(settings.delivery),
    ] where status != 0 {
      throw .openingFailed(interface, step: .settings, message: statusText(status))
    }
    let precision = unsafe pcap_set_tstamp_precision(raw, PCAP_TSTAMP_PRECISION_NANO)
    guard precision == 0 else {
      throw .openingFailed(interface, step: .timestamps, message: statusText(precision))
    }
    let status = unsafe pcap_activate(raw)
    // Warnings are positive; one about something that was not asked for changes nothing.
    guard status >= 0 else { throw handle.activationError(interface, status) }
    guard unsafe pcap_get_tstamp_precision(raw) == PCAP_TSTAMP_PRECISION_NANO else {
      throw .openingFailed(
        interface, step: .timestamps, message: "the handle counts microseconds all the same")
    }
    if let direction = settings.direction {
      let wanted = direction == .inbound ? PCAP_D_IN : PCAP_D_OUT
      guard unsafe pcap_setdirection(raw, wanted) == 0 else {
        throw .openingFailed(interface, step: .direction, message: handle.errorText)
      }
    }
    guard unsafe pcap_setnonblock(raw, 1, &message) == 0 else {
      throw .openingFailed(interface, step: .nonBlocking, message: text(message))
    }
    return handle
  }

  private func set(_ delivery: LiveCapture.Delivery) -> CInt {
    switch delivery {
    case .immediate: return unsafe pcap_set_immediate_mode(raw, 1)
    case .buffered(let patience):
      let status = unsafe pcap_set_immediate_mode(raw, 0)
      let milliseconds = CInt(max(1, min(patience / .milliseconds(1), 1_000_000)))
      guard status == 0 else { return status }
      return unsafe pcap_set_timeout(raw, milliseconds)
    }
  }

  private func activationError(_ interface: InterfaceName, _ status: CInt) -> CaptureError {
    let detail = errorText
    let words = statusText(status)
    let message =
      status == PCAP_ERROR
      ? detail : detail.isEmpty || detail == words ? words : "\(words) (\(detail))"
    switch status {
    case PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED:
      return .notPermitted(interface, message: message)
    case PCAP_ERROR_NO_SUCH_DEVICE: return .noSuchInterface(interface, message: message)
    case PCAP_ERROR_IFACE_NOT_UP: return .interfaceDown(interface, message: message)
    default: return .openingFailed(interface, step: .activating, message: message)
    }
  }

  /// Opens a capture file; `-`, which libpcap takes for standard input, is given as a path.
  ///
  /// - Throws: ``CaptureError/notACaptureFile(path:message:)``.
  static func file(_ path: String) throws(CaptureError) -> PcapHandle {
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    let name = path == "-" ? "./-" : path
    guard
      let raw = unsafe pcap_open_offline_with_tstamp_precision(
        name, UInt32(PCAP_TSTAMP_PRECISION_NANO), &message)
    else {
      var words = text(message)
      if words.hasPrefix(name + ": ") { words.removeFirst(name.count + 2) }
      throw .notACaptureFile(path: path, message: words)
    }
    return unsafe PcapHandle(owning: raw)
  }

  /// A handle that compiles filters and captures nothing.
  ///
  /// - Returns: nil where memory is short.
  static func dead(_ linkType: LinkType) -> PcapHandle? {
    let number = linkType == .rawIP ? DLT_RAW : CInt(linkType.fileNumber)
    guard let raw = unsafe pcap_open_dead(number, 262_144) else { return nil }
    return unsafe PcapHandle(owning: raw)
  }

  // Asking

  /// nil for link types from which no IP packet is taken; see ``linkTypeName``.
  var linkType: LinkType? {
    let number = unsafe pcap_datalink(raw)
    return number == DLT_RAW ? .rawIP : UInt16(exactly: number).flatMap(LinkType.init(fileNumber:))
  }

  /// libpcap's name of the link type.
  var linkTypeName: String { unsafe Self.linkTypeName(pcap_datalink(raw)) }

  /// libpcap's name of a link type, or its number.
  static func linkTypeName(_ number: CInt) -> String {
    guard let name = unsafe pcap_datalink_val_to_name(number) else { return "number \(number)" }
    return unsafe String(cString: name)
  }

  /// A descriptor that is readable when packets wait; -1 where there is none.
  var selectableDescriptor: CInt { unsafe pcap_get_selectable_fd(raw) }

  /// What went wrong last.
  var errorText: String {
    guard let words = unsafe pcap_geterr(raw) else { return "" }
    return unsafe String(cString: words)
  }

  /// - Returns: nil where libpcap cannot say; see ``errorText``.
  func statistics() -> LiveCapture.Statistics? {
    var counts = pcap_stat()
    guard unsafe pcap_stats(raw, &counts) == 0 else { return nil }
    return LiveCapture.Statistics(
      received: Int(counts.ps_recv), droppedByKernel: Int(counts.ps_drop),
      droppedByInterface: Int(counts.ps_ifdrop))
  }

  // Filtering

  /// Why a filter is not in force.
  enum FilterFailure: Error {
    case notCompiled(message: String)
    case notSet(message: String)
  }

  /// Has only packets through that `text` lets through.
  ///
  /// - Throws: ``FilterFailure``; an earlier filter then stays.
  func setFilter(_ text: String) throws(FilterFailure) {
    var program = unsafe try compiled(text)
    defer { unsafe pcap_freecode(&program) }
    guard unsafe pcap_setfilter(raw, &program) == 0 else {
      throw .notSet(message: errorText)
    }
  }

  /// How `text` judges each of `frames`, without any capture.
  ///
  /// - Throws: ``FilterFailure/notCompiled(message:)``.
  func judgements(of text: String, on frames: [[UInt8]]) throws(FilterFailure) -> [Bool] {
    var program = unsafe try compiled(text)
    defer { unsafe pcap_freecode(&program) }
    var judgements: [Bool] = []
    for frame in frames {
      var header = pcap_pkthdr()
      header.caplen = UInt32(frame.count)
      header.len = UInt32(frame.count)
      judgements.append(unsafe pcap_offline_filter(&program, &header, frame) != 0)
    }
    return judgements
  }

  private func compiled(_ text: String) throws(FilterFailure) -> bpf_program {
    // C ends a text at its first zero.
    guard !text.utf8.contains(0) else { throw .notCompiled(message: "it has a zero byte") }
    var program = unsafe bpf_program()
    guard unsafe pcap_compile(raw, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0 else {
      throw .notCompiled(message: errorText)
    }
    return unsafe program
  }

  // Reading

  /// Hands the next packet to `body`, if there is one now.
  ///
  /// The bytes last as long as the call of `body`; nothing is allocated.
  func next(_ body: (Frame, Span<UInt8>) -> Void) -> Step {
    var header: UnsafeMutablePointer<pcap_pkthdr>?
    var bytes: UnsafePointer<u_char>?
    switch unsafe pcap_next_ex(raw, &header, &bytes) {
    case 1:
      guard let header = unsafe header?.pointee, let bytes = unsafe bytes else { return .failure }
      let frame = Frame(
        // With this precision the field that is called microseconds holds nanoseconds.
        timestamp: UInt64(bitPattern: Int64(header.ts.tv_sec)) &* 1_000_000_000
          &+ UInt64(bitPattern: Int64(header.ts.tv_usec)),
        originalByteCount: Int(header.len))
      unsafe body(frame, Span(_unsafeStart: bytes, count: Int(header.caplen)))
      return .packet
    case 0: return .nothing
    case PCAP_ERROR_BREAK: return .end
    default: return .failure
    }
  }
}

private func text(_ message: [CChar]) -> String {
  String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

private func statusText(_ status: CInt) -> String {
  guard let words = unsafe pcap_statustostr(status) else { return "error \(status)" }
  return unsafe String(cString: words)
}
