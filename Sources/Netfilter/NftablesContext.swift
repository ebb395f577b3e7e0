internal import CNftables
internal import Glibc

/// A libnftables context that prints to standard output.
///
/// libnftables 1.0.6 ends the process on some rulesets, so a context lives in a child process and
/// nowhere else. It is not `Sendable`: libnftables is not thread-safe.
@safe
struct NftablesContext: ~Copyable {
  private let raw: OpaquePointer
  /// Standard output with a large buffer: listings are many small writes.
  private let output: UnsafeMutablePointer<FILE>

  /// Makes a context; nil where there is no memory for one.
  init?() {
    guard let raw = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { return nil }
    let copy = dup(1)
    guard copy >= 0, let output = unsafe fdopen(copy, "w") else {
      unsafe nft_ctx_free(raw)
      return nil
    }
    _ = unsafe setvbuf(output, nil, _IOFBF, 1 << 18)
    unsafe self.raw = raw
    unsafe self.output = output
    _ = unsafe nft_ctx_set_output(raw, output)
    _ = unsafe nft_ctx_buffer_error(raw)
    unsafe nft_ctx_output_set_flags(
      raw,
      UInt32(NFT_CTX_OUTPUT_JSON) | UInt32(NFT_CTX_OUTPUT_HANDLE)
        | UInt32(NFT_CTX_OUTPUT_NUMERIC_ALL))
  }

  deinit {
    unsafe nft_ctx_free(raw)
    _ = unsafe fclose(output)
  }

  /// Where `include` looks for names without a path, in order.
  func setIncludeFolders(_ folders: [String]) {
    unsafe nft_ctx_clear_include_paths(raw)
    for folder in folders { _ = unsafe nft_ctx_add_include_path(raw, folder) }
  }

  /// Runs one command; what it prints goes to standard output.
  ///
  /// - Returns: Whether libnftables and the kernel took it.
  ///
  /// The corresponding C function is `nft_run_cmd_from_buffer`.
  func run(_ command: String) -> Bool {
    let status = unsafe nft_run_cmd_from_buffer(raw, command)
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
}
