import Addresses
import Capture
import Foundation
import LinuxKernel
import Testing

/// User namespaces that this user may make, or an environment that must have them.
private let canMakeUserNamespaces: ConditionTrait = .enabled(
  "needs user namespaces, and unshare in /usr/bin"
) {
  if Machine.environment("CI") != nil { return true }
  guard Files.exists("/usr/bin/unshare") else { return false }
  let output = try ChildProcess.run(
    "/usr/bin/unshare", ["--user", "--map-root-user", "--net", "/bin/true"], timeout: .seconds(20),
    limit: 1 << 16)
  return output.ending == .exited(0)
}

@Suite("Who may capture")
struct CapturePermissionTests {
  @Test(canUnshare) func `a process without the capability may not, and is told what it needs`()
    async throws
  {
    let error = try await inNamespace(cable) { () -> CaptureError? in
      try Privileges.dropPrivileges()
      do throws(CaptureError) {
        _ = try LiveCapture(InterfaceName("far") ?? .none)
        return nil
      } catch {
        return error
      }
    }
    guard case .notPermitted(let interface, let message)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try interface == name("far"))
    #expect(message.contains("ermission"), "\(message)")
    #expect(
      error?.description == "not permitted to capture at 'far': \(message)")
    #expect(error?.help == "run as root, or give the program the capability CAP_NET_RAW")
  }

  @Test(canMakeUserNamespaces) func `whoever may make a user namespace may in there`() throws {
    // The tests of live captures, with no privilege over anything but the namespace.
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let output = try ChildProcess.run(
      "/usr/bin/unshare",
      [
        "--user", "--map-root-user", "--net", runner, "--testing-library", "swift-testing",
        "--filter", "CaptureTests.LiveCaptureTests",
      ],
      timeout: .seconds(120), limit: 1 << 22)
    let text = String(decoding: output.output + output.errors, as: UTF8.self)
    #expect(output.ending == .exited(0), "\(text)")
    #expect(text.contains(/Test run with [1-9][0-9]* tests .*passed/), "\(text)")
    #expect(!text.contains("skipped"), "\(text)")
  }
}
