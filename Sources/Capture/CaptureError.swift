package import Addresses
package import LinuxKernel

/// Why packets could not be captured, read or written; messages are libpcap's own words.
package enum CaptureError: Error, Hashable, Sendable {
  /// This process may not capture.
  case notPermitted(InterfaceName, message: String)
  case noSuchInterface(InterfaceName, message: String)
  case interfaceDown(InterfaceName, message: String)
  /// No IP packet is taken from frames of this kind; `source` is an interface or a file.
  case unsupportedLinkType(source: String, name: String)
  /// libpcap, or the kernel under it, refused a step of opening.
  case openingFailed(InterfaceName, step: OpeningStep, message: String)
  /// The capture was under way: the interface may be gone or down.
  case interrupted(InterfaceName, message: String)
  /// The filter is not one that libpcap compiles.
  case badFilter(String, message: String)
  /// A filter that libpcap compiled could not be set.
  case filterNotSet(InterfaceName, message: String)
  case unreadable(path: String, Errno)
  /// The file is no capture file, or its head is broken.
  case notACaptureFile(path: String, message: String)
  /// The file is broken or cut off where packet number `packet`, from 1 on, should be.
  case damaged(path: String, packet: Int, message: String)
  case unwritable(path: String, Errno)

  /// What was asked of libpcap.
  package enum OpeningStep: String, Hashable, Sendable {
    case creating = "making a handle"
    case settings = "taking the settings"
    case timestamps = "nanosecond timestamps"
    case activating = "activating"
    case direction = "choosing a direction"
    case nonBlocking = "reading without waiting"
    case descriptor = "giving a descriptor to wait for"
    case statistics = "giving statistics"
  }
}

extension CaptureError: CustomStringConvertible {
  /// What is wrong, in one phrase.
  package var description: String {
    switch self {
    case .notPermitted(let interface, let message):
      "not permitted to capture at '\(interface)': \(message)"
    case .noSuchInterface(let interface, let message):
      "there is no interface '\(interface)' to capture at: \(message)"
    case .interfaceDown(let interface, let message):
      "the interface '\(interface)' is down: \(message)"
    case .unsupportedLinkType(let source, let name):
      "no IP packets can be taken from '\(source)', whose link type is \(name)"
    case .openingFailed(let interface, let step, let message):
      "cannot capture at '\(interface)', \(step.rawValue): \(message)"
    case .interrupted(let interface, let message):
      "the capture at '\(interface)' ended: \(message)"
    case .badFilter(let text, let message): "the filter '\(text)' is not valid: \(message)"
    case .filterNotSet(let interface, let message):
      "the filter cannot be set at '\(interface)': \(message)"
    case .unreadable(let path, let error): "cannot read '\(path)': \(error)"
    case .notACaptureFile(let path, let message): "'\(path)' is not a capture file: \(message)"
    case .damaged(let path, let packet, let message):
      "'\(path)' is damaged at packet \(packet): \(message)"
    case .unwritable(let path, let error): "cannot write '\(path)': \(error)"
    }
  }

  /// What the reader can do about it.
  package var help: String? {
    switch self {
    case .notPermitted:
      "run as root, or give the program the capability CAP_NET_RAW"
    case .noSuchInterface: "`ip link` lists the interfaces of this network namespace"
    case .interfaceDown(let interface, _): "`ip link set \(interface) up`"
    case .unsupportedLinkType:
      "capture at an Ethernet or tunnel interface, or at 'any'"
    case .openingFailed(_, .activating, _):
      "a smaller buffer or snapshot length may help"
    case .interrupted: "see whether the interface is still there and up"
    case .badFilter: "pcap-filter(7) tells what a filter may say"
    case .damaged: "the packets before it are whole; capture again, or cut the file there"
    case .notACaptureFile: "pcap and pcapng files can be read"
    case .openingFailed, .filterNotSet, .unreadable, .unwritable: nil
    }
  }
}
