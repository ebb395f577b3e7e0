import Foundation

/// The program as a whole, from start to exit.
struct ProgramBenchmark {
  /// The repository.
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// The program beside this one.
  private static var program: String {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(filePath: own).deletingLastPathComponent().appending(path: "portproof").path
  }

  static func run() throws {
    try measure("start: portproof --version", "\(program) --version")
    let check = "\(program) check Scenarios/talos/talos.scn"
    let proved = try measure("check of the Talos pack", check)
    try measure("check of the Talos pack, with --replay", "\(check) --replay") { median in
      String(format: "adds %.0f ms", (median - proved) * 1e3)
    }
    try live()
  }

  /// Reading 10,000 live rules and proving a line, beside nft listing them; both in a network
  /// namespace of their own, for which root or unprivileged user namespaces are needed.
  private static func live() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "portproof-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let rules = (0..<10_000).map {
      "    ip saddr 10.\($0 >> 8 & 255).\($0 & 255).0/24 tcp dport \($0 % 60_000 + 1) counter accept"
    }.joined(separator: "\n")
    let text = """
      table inet long {
        chain input {
          type filter hook input priority 0; policy drop;
          ct state established,related accept
      \(rules)
        }
      }
      """
    let ruleset = folder.appending(path: "list.nft").path
    try text.write(toFile: ruleset, atomically: false, encoding: .utf8)
    let scenario = folder.appending(path: "live.scn").path
    try """
    host node = 192.0.2.1
    firewall here = live on node
    10.0.0.5 -> node 1 tcp expect allow

    """.write(toFile: scenario, atomically: false, encoding: .utf8)
    // Five rounds, the two in turn; times in seconds on standard error.
    let script = """
      nft -f \(ruleset) || exit 9
      TIMEFORMAT=%R
      for round in 1 2 3 4 5; do
        time nft -j list ruleset > \(folder.path)/listing.json
        time \(program) check \(scenario) > \(folder.path)/answer.txt || exit 8
      done
      """
    let namespace = geteuid() == 0 ? ["unshare", "-n"] : ["unshare", "-rn"]
    let (status, output) = try launch(namespace + ["bash", "-c", script])
    let times = output.split(separator: "\n").compactMap { Double($0) }
    guard status == 0, times.count == 10 else {
      Figure.print("live ruleset of 10,000 rules", "not measured", note: output)
      return
    }
    let listing = stride(from: 0, to: 10, by: 2).map { times[$0] }.sorted()[2]
    let whole = stride(from: 1, to: 10, by: 2).map { times[$0] }.sorted()[2]
    Figure.print("nft -j list ruleset, 10,000 live rules", .seconds(listing))
    Figure.print(
      "check against 10,000 live rules", .seconds(whole),
      note: String(format: "%.2f times the listing", whole / listing))
  }

  /// Prints the median of fifteen runs, timed by the shell that starts them.
  ///
  /// - Returns: The median, in seconds.
  @discardableResult
  private static func measure(
    _ name: String, _ command: String, note: (Double) -> String? = { _ in nil }
  ) throws -> Double {
    let script = """
      TIMEFORMAT=%R
      for round in {1..15}; do time \(command) > /dev/null || exit 8; done
      """
    let (status, output) = try launch(["bash", "-c", script])
    let times = output.split(separator: "\n").compactMap { Double($0) }.sorted()
    guard status == 0, times.count == 15 else { throw Failure("\(command): \(output)") }
    Figure.print(
      name, .seconds(times[7]),
      note: note(times[7]) ?? String(format: "at least %.0f ms", times[0] * 1e3))
    return times[7]
  }

  /// Runs a command in the repository; what it prints as results is thrown away.
  private static func launch(_ command: [String]) throws -> (status: Int32, errors: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.currentDirectoryURL = root
    process.standardOutput = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let errors = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, errors)
  }
}
