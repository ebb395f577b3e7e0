package import Addresses
package import Capture
package import LinuxKernel

/// Why a run could not be made, or not gone on with: never what became of a probe.
package enum ProbeRunError: Error, Hashable, Sendable {
  /// Raw packets may not be sent.
  case rawRefused(Errno)
  /// Messages of this type need raw packets.
  case needsRaw(type: UInt8)
  /// Echo requests may be sent neither raw nor by ping sockets.
  case pingRefused(Errno)
  /// A capture was asked for, and needs raw packets.
  case captureNeedsRaw
  case capture(CaptureError)
  /// A socket broke while the run was under way.
  case socketFailed(Errno)
  /// The two addresses of a probe are of different families.
  case mixedFamilies(IPAddress, IPAddress)
}

extension ProbeRunError: CustomStringConvertible {
  /// What is wrong, in one phrase.
  package var description: String {
    switch self {
    case .rawRefused(let error): "raw packets cannot be sent: \(error)"
    case .needsRaw(let type): "ICMP messages of type \(type) can only be sent as raw packets"
    case .pingRefused(let error): "echo requests cannot be sent: \(error)"
    case .captureNeedsRaw: "packets cannot be captured without raw packets"
    case .capture(let error): error.description
    case .socketFailed(let error): "a socket failed: \(error)"
    case .mixedFamilies(let source, let destination):
      "no packet goes from \(source) to \(destination)"
    }
  }

  /// What the reader can do about it.
  package var help: String? {
    switch self {
    case .rawRefused, .needsRaw, .captureNeedsRaw:
      "run as root, or give the program the capability CAP_NET_RAW"
    case .pingRefused:
      "run as root, or have the sysctl net.ipv4.ping_group_range hold a group of this user"
    case .capture(let error): error.help
    case .socketFailed: nil
    case .mixedFamilies: "both addresses must be IPv4, or both IPv6"
    }
  }
}
