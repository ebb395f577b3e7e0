import Foundation
import LinuxKernel
import Testing

/// What a remedy says is written into the documents, and the lines are asked again.
@Suite("Remedies in Talos documents, end to end")
struct TalosRemedyTests {
  private static let pack =
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Scenarios/talos")

  /// The lines of a report by their ids.
  private struct Lines {
    var statuses: [String: String] = [:]
    var remedies: [String: String] = [:]

    var failed: [String] { statuses.filter { $0.value == "failed" }.map(\.key).sorted() }
  }

  /// The pack in a folder of its own, with patches for the two configurations.
  private struct Cluster: ~Copyable {
    let folder = FileManager.default.temporaryDirectory.appending(path: "remedy-\(UUID())")

    init() throws {
      try FileManager.default.copyItem(at: TalosRemedyTests.pack, to: folder)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Asks the lines of the pack of configurations with patches: by the configurations' names.
    func lines(_ patches: [(configuration: String, text: String)]) throws -> Lines {
      var options = ["controlplane": "", "worker": ""]
      for (number, patch) in patches.enumerated() {
        let file = folder.appending(path: "patch-\(number).yaml")
        try Data(patch.text.utf8).write(to: file)
        options[patch.configuration, default: ""] += " with patch \"patch-\(number).yaml\""
      }
      let scenario = """
        include "inventory.scn"
        firewall cp-host = talos "controlplane.yaml" on cp\(options["controlplane"] ?? "")
        firewall worker-host = talos "worker.yaml" on worker\(options["worker"] ?? "")
        include "required.scn"
        include "closed.scn"

        """
      let file = folder.appending(path: "asked.scn")
      try Data(scenario.utf8).write(to: file)
      let output = try ChildProcess.run(
        try EndToEndTests.program(), ["check", file.path, "--format", "json"],
        timeout: .seconds(60), limit: 1 << 24)
      #expect(
        output.ending == .exited(0) || output.ending == .exited(1),
        "\(String(decoding: output.errors, as: UTF8.self))")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(output.output)) as? [String: Any])
      var lines = Lines()
      for result in try #require(report["results"] as? [[String: Any]]) {
        let id = try #require(result["id"] as? String)
        lines.statuses[id] = result["status"] as? String
        lines.remedies[id] = result["remedy"] as? String
      }
      return lines
    }
  }

  /// The items of a list of a rule, as the pack's document has them.
  private func items(of list: String, _ rule: String, _ configuration: String) throws -> String {
    let text = try String(
      contentsOf: Self.pack.appending(path: "\(configuration).yaml"), encoding: .utf8)
    let document = try #require(
      text.components(separatedBy: "---\n").first { $0.contains("name: \(rule)\n") })
    return document.components(separatedBy: "\n").drop { $0 != list }.dropFirst()
      .prefix { $0.hasPrefix("        -") || $0.hasPrefix("    - ") }.joined(separator: "\n")
  }

  /// The patches that a remedy is, each for a configuration.
  ///
  /// Patches replace whole lists, so what joins a list is written after what is there.
  private func patches(
    of remedy: String
  ) throws -> [(configuration: String, text: String)] {
    try remedy.split(separator: "in /").map { part in
      let lines = part.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      let head = try #require(lines.first)
      let configuration = head.contains("controlplane.yaml") ? "controlplane" : "worker"
      let body = lines.dropFirst().filter { !$0.hasPrefix("(") }.joined(separator: "\n")
      if head.hasSuffix(", add") { return (configuration, body + "\n") }
      let name = String(try #require(head.split(separator: "`").dropFirst(3).first, "\(head)"))
      let lists: String
      if head.contains("add to `portSelector.ports`") {
        let ports = try items(of: "    ports:", name, configuration)
        lists = "portSelector:\n    ports:\n\(ports)\n\(body)"
      } else if head.contains("add to `ingress`") {
        lists = "ingress:\n\(try items(of: "ingress:", name, configuration))\n\(body)"
      } else {
        #expect(head.contains("replace `ingress` of"), "\(head)")
        lists = body
      }
      return (
        configuration,
        "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: \(name)\n\(lists)\n"
      )
    }
  }

  private func deletion(_ name: String) -> String {
    "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: \(name)\n$patch: delete\n"
  }

  @Test(arguments: [
    ("controlplane", "kubelet-ingress"), ("controlplane", "apid-ingress"),
    ("controlplane", "trustd-ingress"), ("controlplane", "kubernetes-api-ingress"),
    ("controlplane", "etcd-ingress"), ("controlplane", "controller-manager-ingress"),
    ("controlplane", "scheduler-ingress"), ("controlplane", "cni-vxlan"),
    ("worker", "kubelet-ingress"), ("worker", "apid-ingress"), ("worker", "cni-vxlan"),
  ])
  func `a rule that was deleted comes back`(configuration: String, rule: String) throws {
    let cluster = try Cluster()
    let broken = try cluster.lines([(configuration, deletion(rule))])
    #expect(!broken.failed.isEmpty)
    for id in broken.failed {
      let remedy = try #require(broken.remedies[id], "\(id) has no remedy")
      let mended = try cluster.lines(
        [(configuration, deletion(rule))] + (try patches(of: remedy)))
      #expect(mended.statuses[id] == "passed", "\(id): \(remedy)")
      #expect(Set(mended.failed).isSubset(of: broken.failed), "\(id): \(remedy)")
    }
  }

  @Test(arguments: ["kubelet-ingress", "trustd-ingress", "cni-vxlan"])
  func `a rule that is too wide becomes narrower`(rule: String) throws {
    let cluster = try Cluster()
    let wide = (
      "controlplane",
      "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: \(rule)\n"
        + "ingress:\n    - subnet: 0.0.0.0/0\n    - subnet: ::/0\n"
    )
    let broken = try cluster.lines([wide])
    #expect(!broken.failed.isEmpty)
    for id in broken.failed {
      let remedy = try #require(broken.remedies[id], "\(id) has no remedy")
      let mended = try cluster.lines([wide] + (try patches(of: remedy)))
      #expect(mended.statuses[id] == "passed", "\(id): \(remedy)")
      #expect(Set(mended.failed).isSubset(of: broken.failed), "\(id): \(remedy)")
    }
  }

  @Test func `what Talos cannot do has no remedy`() throws {
    let cluster = try Cluster()
    let file = cluster.folder.appending(path: "rejecting.scn")
    let scenario = """
      include "inventory.scn"
      firewall worker-host = talos "worker.yaml" on worker
      admin -> worker 22 tcp expect reject

      """
    try Data(scenario.utf8).write(to: file)
    let output = try ChildProcess.run(
      try EndToEndTests.program(), ["check", file.path], timeout: .seconds(60), limit: 1 << 20)
    #expect(output.ending == .exited(1))
    #expect(!String(decoding: output.output, as: UTF8.self).contains("remedy:"))
  }
}
