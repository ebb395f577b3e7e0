internal import Diagnostics
internal import LinuxKernel
internal import Probing

/// The key that both ends of a run share, as a file that its owner alone can read.
enum RunKeyFile {
  /// The key that `--key` names, or the one that `--new-key` makes.
  ///
  /// - Throws: A diagnostic where there is neither, or the file is not as it must be.
  static func key(_ arguments: ParsedArguments, _ console: Console) throws(Diagnostic) -> RunKey {
    switch (arguments[.key], arguments[.newKey]) {
    case (let path?, nil): return try read(path)
    case (nil, let path?):
      let key = try make(path)
      console.say(
        Diagnostic(
          "key.made", .note, "made the key '\(path)'", at: nil,
          help: "give a copy to the prober: portproof probe … --key \(path)"))
      return key
    case (_?, _?):
      throw Diagnostic(
        "usage.superfluous-option", .error, "'--key' and '--new-key' are not for one run", at: nil)
    case (nil, nil):
      throw Diagnostic(
        "usage.missing-option", .error, "a run needs a key that both of its ends have", at: nil,
        help: "--new-key FILE makes one, --key FILE takes one")
    }
  }

  /// Reads a key.
  ///
  /// - Throws: A diagnostic where others can read it too, or it is no key.
  static func read(_ path: String) throws(Diagnostic) -> RunKey {
    let bytes: [UInt8]
    let permissions: Files.Permissions
    do throws(Errno) {
      // What is read is what was looked at, whatever becomes of the name meanwhile.
      let file = try Descriptor(reading: path)
      permissions = try file.permissions()
      bytes = try file.readAll(limit: 4096)
    } catch {
      throw Diagnostic("key.unreadable", .error, "cannot read '\(path)': \(error)", at: nil)
    }
    guard permissions.mode & 0o077 == 0 else {
      throw Diagnostic(
        "key.not-private", .error, "others can read or change the key '\(path)'", at: nil,
        help: "chmod 600 \(path)")
    }
    let text = String(decoding: bytes, as: UTF8.self)
    guard let key = RunKey(text: text.drop(while: \.isWhitespace).prefix { !$0.isWhitespace }),
      text.split(whereSeparator: \.isWhitespace).count == 1
    else {
      throw Diagnostic(
        "key.malformed", .error, "'\(path)' is no key: 64 hexadecimal digits and nothing else",
        at: nil)
    }
    return key
  }

  private static func make(_ path: String) throws(Diagnostic) -> RunKey {
    let key = RunKey.fresh()
    do throws(Errno) {
      try Files.createPrivate(path, holding: Array((key.text + "\n").utf8))
    } catch {
      throw Diagnostic(
        "key.unwritable", .error, "cannot make the key '\(path)': \(error)", at: nil,
        help: error == .alreadyExists ? "--key \(path) takes it" : nil)
    }
    return key
  }
}
