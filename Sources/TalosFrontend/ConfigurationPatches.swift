internal import Diagnostics
internal import Documents

/// Merges patches into a configuration the way Talos does.
///
/// A document of a patch is merged into the one of its kind and name, member by member, or added at
/// the end. A value that Go takes for *not said* changes nothing: the empty text, null, and the
/// default action `accept`.
///
/// Source: pkg/machinery/config/merge/merge.go and configloader/internal/decoder/delete.go of Talos.
struct ConfigurationPatches {
  private(set) var documents: [ConfigurationDocument]
  private(set) var diagnostics: [Diagnostic] = []
  private let features: FirewallFeatures

  init(_ documents: [ConfigurationDocument], features: FirewallFeatures) {
    self.documents = documents
    self.features = features
  }

  mutating func apply(_ patch: ConfigurationDocument) {
    var deletions: [Deletion] = []
    let rest = withoutDeletions(patch.root, [], of: patch, &deletions)
    for deletion in deletions { delete(deletion, of: patch) }
    guard let rest, deletions.isEmpty || !Self.saysOnlyWhoItIs(rest) else { return }
    let identity = patch.identity
    guard let index = documents.firstIndex(where: { $0.identity == identity }) else {
      documents.append(ConfigurationDocument(root: rest))
      return
    }
    documents[index].root = merged(documents[index].root, rest, [], of: patch)
  }

  // MARK: - Merging

  private mutating func merged(
    _ left: ConfigurationNode, _ right: ConfigurationNode, _ path: [String],
    of patch: ConfigurationDocument
  ) -> ConfigurationNode {
    if right.isNull { return left }
    switch (left.content, right.content) {
    case (.mapping(var members), .mapping(let changes)):
      for change in changes {
        if let index = members.firstIndex(where: { $0.name == change.name }) {
          members[index].value = merged(
            members[index].value, change.value, path + [change.name], of: patch)
        } else {
          members.append(change)
        }
      }
      return ConfigurationNode(.mapping(members), at: left.span)
    case (.sequence(let entries), .sequence(let more)):
      if replaces(path, in: patch.kind) { return right }
      return ConfigurationNode(.sequence(entries + more), at: left.span)
    case (.scalar(let old), .scalar(let new)):
      if new.text.isEmpty || new == old { return left }
      if patch.kind == "NetworkDefaultActionConfig", path == ["ingress"],
        new.text.lowercased() == "accept"
      {
        if old.text.lowercased() != "accept" {
          diagnostics.append(
            TalosProblem.acceptInPatch.diagnostic(at: right.span, besides: left.span))
        }
        return left
      }
      return right
    // Of what is not alike the later counts, and reading it says what is wrong.
    case (.scalar, _), (.sequence, _), (.mapping, _): return right
    }
  }

  private func replaces(_ path: [String], in kind: String) -> Bool {
    switch (kind, path) {
    case ("NetworkRuleConfig", ["portSelector", "ports"]): true
    case ("NetworkRuleConfig", ["ingress"]): features.replacesLists
    case ("KubeNetworkConfig", ["podSubnets"]), ("KubeNetworkConfig", ["serviceSubnets"]): true
    case ("", ["cluster", "network", "podSubnets"]),
      ("", ["cluster", "network", "serviceSubnets"]):
      true
    default: false
    }
  }

  // MARK: - Deleting

  private struct Deletion {
    var path: [String]
    var span: SourceSpan
  }

  /// The tree without what is marked `$patch: delete`; nil where nothing is left.
  private mutating func withoutDeletions(
    _ node: ConfigurationNode, _ path: [String], of patch: ConfigurationDocument,
    _ deletions: inout [Deletion]
  ) -> ConfigurationNode? {
    switch node.content {
    case .scalar: return node
    case .sequence(let entries):
      let kept = entries.filter { entry in
        guard let mark = Self.deletionMark(in: entry) else { return true }
        diagnostics.append(TalosProblem.deletionInList.diagnostic(at: mark))
        return false
      }
      return ConfigurationNode(.sequence(kept), at: node.span)
    case .mapping(let members):
      if let mark = Self.deletionMark(in: node) {
        deletions.append(Deletion(path: path, span: mark))
        return nil
      }
      var kept: [ConfigurationMember] = []
      for member in members {
        guard
          let value = withoutDeletions(member.value, path + [member.name], of: patch, &deletions)
        else { continue }
        kept.append(
          ConfigurationMember(name: member.name, nameSpan: member.nameSpan, value: value))
      }
      if kept.isEmpty, !members.isEmpty { return nil }
      return ConfigurationNode(.mapping(kept), at: node.span)
    }
  }

  /// Where a mapping says that it is to be deleted.
  private static func deletionMark(in node: ConfigurationNode) -> SourceSpan? {
    guard let member = node.mapping?.first(where: { $0.name == "$patch" }),
      member.value.text == "delete"
    else { return nil }
    return member.nameSpan.joined(with: member.value.span)
  }

  private static func saysOnlyWhoItIs(_ node: ConfigurationNode) -> Bool {
    node.mapping?.allSatisfy { ["apiVersion", "kind", "name", "version"].contains($0.name) }
      ?? false
  }

  private mutating func delete(_ deletion: Deletion, of patch: ConfigurationDocument) {
    let identity = patch.identity
    let index = documents.firstIndex { $0.identity == identity }
    if let index, deletion.path.isEmpty {
      documents.remove(at: index)
      return
    }
    if let index, let root = Self.without(documents[index].root, deletion.path[...]) {
      documents[index].root = root
      return
    }
    let what = ([patch.title] + deletion.path).joined(separator: ".")
    diagnostics.append(TalosProblem.nothingToDelete(what).diagnostic(at: deletion.span))
  }

  /// The tree without the member at the end of a path; nil where there is no such member.
  private static func without(
    _ node: ConfigurationNode, _ path: ArraySlice<String>
  ) -> ConfigurationNode? {
    guard var members = node.mapping, let name = path.first,
      let index = members.firstIndex(where: { $0.name == name })
    else { return nil }
    if path.count == 1 {
      members.remove(at: index)
    } else {
      guard let rest = without(members[index].value, path.dropFirst()) else { return nil }
      members[index].value = rest
    }
    return ConfigurationNode(.mapping(members), at: node.span)
  }
}
