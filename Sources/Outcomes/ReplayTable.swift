/// A mismatch as a table: a line for each hook and each rule, the model left, the kernel right.
package enum ReplayTable {
  /// The lines, each ending in a line break.
  package static func text(of mismatch: ReplayMismatch) -> String {
    lines(of: mismatch).map { $0 + "\n" }.joined()
  }

  /// The lines.
  package static func lines(of mismatch: ReplayMismatch) -> [String] {
    var rows: [(name: String, model: String, kernel: String)] = [("", "model", "kernel")]
    for hook in mismatch.hooks {
      rows.append(
        (hook.hook + (hook.isEqual ? "" : " !"), hook.model ?? "-", hook.kernel ?? "-"))
      for index in 0..<max(hook.modelTrace.count, hook.kernelTrace.count) {
        rows.append(
          ("", text(hook.modelTrace, index), text(hook.kernelTrace, index)))
      }
    }
    let first = rows.map(\.name.count).max() ?? 0
    let second = rows.map(\.model.count).max() ?? 0
    return rows.map { row in
      var line = padded(row.name, first) + "  " + padded(row.model, second) + "  " + row.kernel
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  private static func text(_ trace: [TraceStep], _ index: Int) -> String {
    guard trace.indices.contains(index) else { return "" }
    let step = trace[index]
    let rule = step.rule
    let place = "\(rule.family) \(rule.table) \(rule.chain)"
    return "  \(place)\(rule.handle.map { " handle \($0)" } ?? "")  \(step.verdict)"
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
