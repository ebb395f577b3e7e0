import Foundation
import Glibc
import LinuxKernel
import Testing

/// Namespaces need root, or an environment that must have them.
let canMakeFarSide: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes two network namespaces and sends packets between them")

struct FarSideFailure: Error, CustomStringConvertible {
  let description: String
}

/// The far one of two network namespaces that a cable joins; the near one is the thread's.
///
/// `near` has 192.0.2.1, 2001:db8::1 and 02:00:00:00:00:01, `far` the same with 2.
struct FarSide: Sendable {
  /// A process that keeps the far namespace.
  let keeper: Int32

  /// What runs a program there.
  var entrance: [String] { ["nsenter", "--target", "\(keeper)", "--net"] }

  /// The words of an agent there.
  func agent() throws -> [String] { try entrance + [Self.program()] }

  static func program() throws -> String {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
  }

  /// Runs a script there.
  ///
  /// - Returns: What it wrote to standard output.
  @discardableResult
  func shell(_ script: String) throws -> String {
    try Self.run("exec nsenter --target \(keeper) --net sh -ec \"$0\"", [script])
  }

  @discardableResult
  static func run(_ script: String, _ arguments: [String] = []) throws -> String {
    let result = try ChildProcess.run(
      "/bin/sh", ["-ec", "PATH=/usr/sbin:/sbin:$PATH\n" + script] + arguments,
      timeout: .seconds(60), limit: 1 << 24)
    guard result.ending == .exited(0) else {
      throw FarSideFailure(
        description: "\(script) \(arguments): \(result.ending), "
          + String(decoding: result.errors, as: UTF8.self))
    }
    return String(decoding: result.output, as: UTF8.self)
  }

  /// Runs `body` in a thread in the near namespace; both namespaces end with it.
  static func with<Result: Sendable>(
    _ body: @escaping @Sendable (FarSide) throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      let thread = Thread {
        continuation.resume(with: .init { try make(body) })
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  private static func make<Result>(_ body: (FarSide) throws -> Result) throws -> Result {
    try Namespaces.enterAnotherNetworkNamespace()
    // It says a word when it is in its own namespace.
    let keeper = try KeptChild(
      "/bin/sh",
      ["-c", "PATH=/usr/sbin:/sbin:$PATH exec unshare -n sh -c 'echo .; exec sleep 600'"]
    )
    _ = try keeper.receive(1, until: Clocks.monotonic + .seconds(20))
    let side = FarSide(keeper: keeper.processID)
    try run(
      """
      ip link set lo up
      ip link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02 \
        netns \(side.keeper)
      ip link set near up
      ip addr add 192.0.2.1/24 dev near
      ip addr add 2001:db8::1/64 dev near nodad
      """)
    try side.shell(
      """
      ip link set lo up
      ip link set far up
      ip addr add 192.0.2.2/24 dev far
      ip addr add 2001:db8::2/64 dev far nodad
      """)
    try run(
      """
      ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev near nud permanent
      ip neigh replace 2001:db8::2 lladdr 02:00:00:00:00:02 dev near nud permanent
      for i in 1 2 3 4 5 6 7 8 9 10; do
        ip -6 route show table local | grep -q '^local 2001:db8::1 ' && break; sleep 0.1
      done
      """)
    let result = try body(side)
    // Until here the keeper is needed.
    guard kill(keeper.processID, 0) == 0 else {
      throw FarSideFailure(description: "the far namespace has ended")
    }
    return result
  }

  /// The TCP and UDP ports at which somebody listens there.
  func listeners() throws -> [String] {
    try shell("ss -Hltun").split(separator: "\n").map(String.init)
  }
}
