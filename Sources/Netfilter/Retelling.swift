internal import LinuxKernel

/// Loads what can be loaded of many commands, in a namespace of this child process's own.
///
/// Standard input has one command per line after the number of the part that it belongs to. Where
/// nft or the kernel refuses a command, all commands of its part are left out.
enum Retelling {
  /// A command, and the part of the whole that stands and falls with it.
  private struct Command {
    var part: Int
    var text: String
  }

  /// Reads the commands, loads them and lists what the kernel made of them.
  ///
  /// - Returns: The exit status.
  static func run() -> CInt {
    guard let input = try? StandardStream.input.readAll(limit: 1 << 30),
      let commands = commands(in: input)
    else { return NetfilterChild.Status.misused.rawValue }
    if let refusal = NetfilterChild.enterNamespace() { return refusal }
    guard load(commands) else { return NetfilterChild.Status.outOfMemory.rawValue }
    return NetfilterChild.printJSON().rawValue
  }

  private static func commands(in input: [UInt8]) -> [Command]? {
    var commands: [Command] = []
    for line in input.split(separator: UInt8(ascii: "\n")) {
      let parts = line.split(separator: UInt8(ascii: "\t"), maxSplits: 1)
      guard parts.count == 2, let part = Int(String(decoding: parts[0], as: UTF8.self)) else {
        return nil
      }
      commands.append(Command(part: part, text: String(decoding: parts[1], as: UTF8.self)))
    }
    return commands
  }

  /// Loads all parts that nft and the kernel take.
  ///
  /// - Returns: False where there is no memory for it.
  private static func load(_ all: [Command]) -> Bool {
    var commands = all
    var made: Set<String> = []
    while !commands.isEmpty {
      guard let context = NftablesContext() else { return false }
      // Of a file nft says in which line it is wrong, of commands in memory it does not.
      guard let file = try? Descriptor.memoryFile(holding: bytes(of: commands[...])) else {
        return false
      }
      if context.load(file.path) { return true }
      let messages = NftMessage.parse(context.takeErrors())
      if NetfilterChild.makeUpInterfaces(missingIn: messages, beside: &made) { continue }
      let refused = refusedParts(of: commands, in: messages)
      guard !refused.isEmpty else { return loadOneByOne(commands) }
      commands.removeAll { refused.contains($0.part) }
    }
    return true
  }

  private static func bytes(of commands: ArraySlice<Command>) -> [UInt8] {
    var bytes: [UInt8] = []
    for command in commands { bytes += Array("\(command.text)\n".utf8) }
    return bytes
  }

  /// The parts that messages point into.
  private static func refusedParts(of commands: [Command], in messages: [NftMessage]) -> Set<Int> {
    var parts: Set<Int> = []
    for message in messages where message.severity == .error {
      guard let line = message.place?.line, commands.indices.contains(line - 1) else { continue }
      parts.insert(commands[line - 1].part)
    }
    return parts
  }

  /// Loads part after part where nft does not say which one is wrong.
  private static func loadOneByOne(_ commands: [Command]) -> Bool {
    var start = commands.startIndex
    while start < commands.endIndex {
      let end =
        commands[start...].firstIndex { $0.part != commands[start].part } ?? commands.endIndex
      guard let context = NftablesContext() else { return false }
      _ = context.run(String(decoding: bytes(of: commands[start..<end]), as: UTF8.self))
      start = end
    }
    return true
  }
}
