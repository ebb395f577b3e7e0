internal import CLinuxShims
internal import CNftables
internal import Glibc

/// A libnftables context that prints into memory.
///
/// libnftables 1.0.6 ends the process on some rulesets, so a context lives in a child process and
/// nowhere else. It is not `Sendable`: libnftables is not thread-safe.
@safe
struct NftablesContext: ~Copyable {
  /// How a listing is written; both with handles and numbers.
  enum Notation {
    case json
    case text
  }

  private let raw: OpaquePointer
  private let output: UnsafeMutablePointer<FILE>
  /// The memory of `output`, which the C library moves: two words that outlive it.
  private let memory: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let size: UnsafeMutablePointer<Int>

  /// Makes a context; nil where there is no memory for one.
  init?() {
    guard let raw = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { return nil }
    let memory = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: 1)
    let size = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    unsafe memory.initialize(to: nil)
    unsafe size.initialize(to: 0)
    guard let output = unsafe open_memstream(memory, size) else {
      unsafe nft_ctx_free(raw)
      unsafe memory.deallocate()
      unsafe size.deallocate()
      return nil
    }
    unsafe self.raw = raw
    unsafe self.output = output
    unsafe self.memory = memory
    unsafe self.size = size
    _ = unsafe nft_ctx_set_output(raw, output)
    _ = unsafe nft_ctx_buffer_error(raw)
    write(.json)
  }

  deinit {
    unsafe nft_ctx_free(raw)
    _ = unsafe fclose(output)
    unsafe free(memory.pointee)
    unsafe memory.deallocate()
    unsafe size.deallocate()
  }

  /// Writes listings in this notation from here on.
  func write(_ notation: Notation) {
    var flags = UInt32(NFT_CTX_OUTPUT_HANDLE) | UInt32(NFT_CTX_OUTPUT_NUMERIC_ALL)
    if notation == .json { flags |= UInt32(NFT_CTX_OUTPUT_JSON) }
    unsafe nft_ctx_output_set_flags(raw, flags)
  }

  /// Prints the bytecode of rules before what lists them.
  func showBytecode() {
    unsafe nft_ctx_output_set_debug(raw, UInt32(NFT_DEBUG_NETLINK.rawValue))
  }

  /// Where `include` looks for names without a path, in order.
  func setIncludeFolders(_ folders: [String]) {
    unsafe nft_ctx_clear_include_paths(raw)
    for folder in folders { _ = unsafe nft_ctx_add_include_path(raw, folder) }
  }

  /// Runs commands; what they print is kept, after what was printed before.
  ///
  /// - Returns: Whether libnftables and the kernel took them.
  ///
  /// The corresponding C function is `nft_run_cmd_from_buffer`.
  func run(_ commands: String) -> Bool {
    let status = unsafe nft_run_cmd_from_buffer(raw, commands)
    return unsafe fflush(output) == 0 && status == 0
  }

  /// Loads a file of commands.
  ///
  /// - Returns: Whether libnftables and the kernel took it.
  ///
  /// The corresponding C function is `nft_run_cmd_from_filename`.
  func load(_ path: String) -> Bool {
    unsafe nft_run_cmd_from_filename(raw, path) == 0
  }

  /// What was wrong with the commands so far, in nft's words; forgotten once read.
  func takeErrors() -> String {
    guard let text = unsafe nft_ctx_get_error_buffer(raw) else { return "" }
    return unsafe String(cString: text)
  }

  // MARK: - What was printed

  /// How many bytes were printed.
  var outputCount: Int { unsafe size.pointee }

  /// Forgets what was printed.
  func forgetOutput() {
    _ = unsafe fseeko(output, 0, SEEK_SET)
    _ = unsafe fflush(output)
  }

  /// Where a text stands in what was printed, at or after an offset.
  func offset(of text: String, from start: Int) -> Int? {
    guard let bytes = unsafe memory.pointee, start < outputCount else { return nil }
    var text = text
    let found = text.withUTF8 { needle in
      unsafe portproof_find(
        bytes + start, outputCount - start, needle.baseAddress, needle.count)
    }
    return found < 0 ? nil : start + found
  }

  /// Writes what was printed to standard output, or the first bytes of it.
  ///
  /// - Returns: Whether all of it could be written.
  func copyOutput(upTo end: Int? = nil) -> Bool {
    guard let bytes = unsafe memory.pointee else { return true }
    let end = min(end ?? outputCount, outputCount)
    var done = 0
    while done < end {
      let count = unsafe Glibc.write(1, bytes + done, end - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }
}
