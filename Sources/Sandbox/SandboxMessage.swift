internal import LinuxKernel
internal import Netfilter

/// A message between parent and child: its size, its kind, and what belongs to it.
enum SandboxMessage {
  /// What a parent asks for; each request has one answer.
  enum Request: UInt8 {
    /// A host description; what was loaded is gone.
    case host = 1
    /// A ruleset, in the place of what was loaded before.
    case ruleset = 2
    /// Packets, as ``PacketTrain`` puts them; the answer has two octets for each, and behind all of
    /// them the steps of each where they are traced.
    case packets = 3
    /// The name of an interface that a ruleset wants to be there, and that nothing comes in by.
    case interface = 4
    /// The objects of a listing, each by itself; the answer has the number of the first that is
    /// refused, and nft's words.
    case objects = 5
    /// The answer has the handles of the rules of each chain.
    case handles = 6
    /// Entries for the connection table.
    case connections = 7
  }

  /// How an answer begins.
  enum Status: UInt8 {
    case done = 0
    case rejected = 10
    case userNamespaceRefused = 12
    case networkNamespaceRefused = 13
    case mappingRefused = 14
    case failed = 20
    case unknownInterface = 21
    case childFailed = 23
  }

  /// What stands before each message: the size of what follows, and its kind.
  static let headSize = 5

  /// The most octets of one message.
  static let limit = 1 << 30

  static func message(_ kind: UInt8, _ content: (inout OctetWriter) -> Void) -> [UInt8] {
    var writer = OctetWriter()
    writer.write(UInt32(0))
    writer.write(kind)
    content(&writer)
    writer.replace(at: 0, with: UInt32(writer.bytes.count - headSize))
    return writer.bytes
  }

  /// The answer that tells an error.
  static func answer(_ error: SandboxError) -> [UInt8] {
    let (status, number, words): (Status, CInt, String) =
      switch error {
      case .namespaceRefused(.user, let reason): (.userNamespaceRefused, reason.rawValue, "")
      case .namespaceRefused(.network, let reason): (.networkNamespaceRefused, reason.rawValue, "")
      case .namespaceRefused(.mapping, let reason): (.mappingRefused, reason.rawValue, "")
      case .rejected(let rejection): (.rejected, 0, rejection.words)
      case .failed(let step, let reason): (.failed, reason.rawValue, step)
      case .unknownInterface(let name): (.unknownInterface, 0, name)
      case .childFailed(let reason): (.childFailed, 0, reason)
      case .crashed, .timedOut, .nothingLoaded:
        preconditionFailure("only a parent sees how its child ended, and whether it may ask")
      }
    return message(status.rawValue) {
      $0.write(UInt32(bitPattern: number))
      $0.write(words)
    }
  }

  /// The error that an answer tells; nil where all went well.
  static func error(_ kind: UInt8, _ content: [UInt8]) -> SandboxError? {
    guard let status = Status(rawValue: kind) else {
      return .childFailed(reason: "an answer of kind \(kind)")
    }
    if status == .done { return nil }
    var reader = OctetReader(bytes: content)
    let reason = Errno(rawValue: CInt(bitPattern: reader.number()))
    let words = reader.text()
    return switch status {
    case .done: nil
    case .rejected: .rejected(RulesetRejection(words: words))
    case .userNamespaceRefused: .namespaceRefused(step: .user, reason)
    case .networkNamespaceRefused: .namespaceRefused(step: .network, reason)
    case .mappingRefused: .namespaceRefused(step: .mapping, reason)
    case .failed: .failed(step: words, reason)
    case .unknownInterface: .unknownInterface(words)
    case .childFailed: .childFailed(reason: words)
    }
  }
}
