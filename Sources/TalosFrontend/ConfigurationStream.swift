internal import Diagnostics
internal import Documents

/// A document of a configuration: who it is, and its tree.
struct ConfigurationDocument: Sendable {
  var root: ConfigurationNode

  /// The kind as it is written; empty for the document without one.
  var kind: String { root["kind"]?.text ?? "" }
  var apiVersion: String { root["apiVersion"]?.text ?? "" }
  var name: String { root["name"]?.text ?? "" }

  /// What makes two documents one: patches find theirs by it.
  var identity: Identity { Identity(kind: kind, name: name) }

  struct Identity: Hashable {
    var kind: String
    var name: String
  }

  /// The words by which Talos names a document in messages.
  var title: String { kind.isEmpty ? "v1alpha1" : "\(kind)/\(name)" }
}

/// Reads the documents of one file.
struct ConfigurationStream {
  private(set) var documents: [ConfigurationDocument] = []
  private(set) var diagnostics: [Diagnostic] = []

  init(_ bytes: [UInt8], file: Int) {
    let values: [YAMLValue]
    do throws(YAMLError) {
      values = try YAMLReader.documents(of: bytes)
    } catch {
      diagnostics.append(
        TalosProblem.yaml("\(error)").diagnostic(
          at: SourceSpan(file: file, lower: error.offset, upper: error.offset + 1)))
      return
    }
    let resources = values.filter { Self.isConfigurationResource($0) }
    guard
      let resource = resources.first(where: { $0["metadata"]?["id"]?.scalar?.text == "v1alpha1" })
        ?? resources.first
    else {
      add(values.map { ConfigurationNode($0, .file(file)) })
      return
    }
    read(resource: resource, in: bytes, file: file)
  }

  /// Whether a document is what `talosctl get machineconfig -o yaml` prints.
  private static func isConfigurationResource(_ value: YAMLValue) -> Bool {
    value["metadata"]?["type"]?.scalar?.text == "MachineConfigs.config.talos.dev"
  }

  private mutating func read(resource: YAMLValue, in bytes: [UInt8], file: Int) {
    guard let specification = resource["spec"] else {
      diagnostics.append(
        TalosProblem.noSpecification.diagnostic(
          at: TextPlaces.file(file).span(of: resource.range)))
      return
    }
    guard let scalar = specification.scalar else {
      add([ConfigurationNode(specification, .file(file))])
      return
    }
    let text = Array(scalar.text.utf8)
    let places = TextPlaces(of: text, at: specification.range, in: bytes, file: file)
    do throws(YAMLError) {
      add(try YAMLReader.documents(of: text).map { ConfigurationNode($0, places) })
    } catch {
      diagnostics.append(
        TalosProblem.yaml("\(error)").diagnostic(
          at: places.span(of: error.offset..<(error.offset + 1))))
    }
  }

  private mutating func add(_ roots: [ConfigurationNode]) {
    for root in roots where !root.isNull {
      if root.mapping == nil {
        diagnostics.append(TalosProblem.noMapping.diagnostic(at: root.span))
      } else {
        documents.append(ConfigurationDocument(root: root))
      }
    }
  }
}
