internal import CLinuxShims

extension StandardStream {
  /// How many columns the terminal has; nil where the stream is none.
  package var columns: Int? {
    let columns = portproof_terminal_columns(rawValue)
    return columns > 0 ? Int(columns) : nil
  }
}
