import Addresses
import Diagnostics

/// What the nodes of a cluster need of each other.
///
/// Source: Talos' documentation, "Talos Linux Network Connectivity" and "Ingress Firewall".
enum PeerAccess: Lint {
  static let apid: Diagnostic.Code = "talos.apid-unreachable"
  static let trustd: Diagnostic.Code = "talos.trustd-unreachable"
  static let kubelet: Diagnostic.Code = "talos.kubelet-unreachable"
  static let etcd: Diagnostic.Code = "talos.etcd-unreachable"
  static let kubernetesAPI: Diagnostic.Code = "talos.kubernetes-api-unreachable"
  static var codes: [Diagnostic.Code] { [apid, trustd, kubelet, etcd, kubernetesAPI] }

  /// A service of a node and the nodes that use it.
  private struct Need: Sendable {
    var code: Diagnostic.Code
    var ports: PortRange
    var service: String
    var peers: @Sendable (ClusterDescription) -> AddressSet
    var users: String
    var ruleName: String
    var word: String
  }

  private static let ofEveryNode = [
    Need(
      code: kubelet, ports: PortRange(10250), service: "the kubelet",
      peers: { $0.otherControlPlanes }, users: "control plane nodes", ruleName: "kubelet-ingress",
      word: "$CLUSTER_SUBNET")
  ]

  private static let ofWorkers = [
    Need(
      code: apid, ports: PortRange(50000), service: "apid", peers: { $0.controlPlanes },
      users: "control plane nodes", ruleName: "apid-ingress", word: "$CLUSTER_SUBNET")
  ]

  private static let ofControlPlanes = [
    Need(
      code: trustd, ports: PortRange(50001), service: "trustd", peers: { $0.otherNodes },
      users: "other nodes", ruleName: "trustd-ingress", word: "$CLUSTER_SUBNET"),
    Need(
      code: etcd, ports: PortRange(2379, 2380), service: "etcd",
      peers: { $0.otherControlPlanes }, users: "other control plane nodes",
      ruleName: "etcd-ingress", word: "$CONTROLPLANE_IP/32"),
    Need(
      code: kubernetesAPI, ports: PortRange(6443), service: "the Kubernetes API",
      peers: { $0.otherNodes }, users: "other nodes", ruleName: "kubernetes-api-ingress",
      word: "$CLUSTER_SUBNET"),
    Need(
      code: apid, ports: PortRange(50000), service: "apid", peers: { $0.otherControlPlanes },
      users: "other control plane nodes", ruleName: "apid-ingress", word: "$CLUSTER_SUBNET"),
  ]

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    let needs: [Need] =
      switch subject.isControlPlane {
      case true?: ofEveryNode + ofControlPlanes
      case false?: ofEveryNode + ofWorkers
      case nil: ofEveryNode
      }
    return needs.compactMap { finding($0, in: subject) }
  }

  private static func finding(_ need: Need, in subject: LintSubject) -> Diagnostic? {
    let ports = need.ports
    let admitted = (ports.lower...ports.upper).reduce(AddressSet.any) {
      $0.intersection(subject.admitted(to: $1, .tcp))
    }
    let missing = need.peers(subject.cluster).subtracting(admitted)
    guard admitted.isEmpty || !missing.isEmpty else { return nil }
    // Nobody at all is what `talos.lock-out` says of these.
    let isTold = [50000, 6443].contains(ports.lower) && subject.isControlPlane == true
    if admitted.isEmpty, isTold { return nil }
    let who = missing.isEmpty ? need.users : "\(need.users) (\(AddressText.some(of: missing)))"
    let isCarried = subject.configuration.isKubeSpanEnabled?.value == true
    return Access.finding(
      need.code, isCarried ? .warning : .error,
      "\(who) cannot reach \(need.service) on \(ports.text)/tcp", in: subject, need.ports, .tcp,
      missing: missing, unknown: need.word, ruleName: need.ruleName,
      notes: isCarried
        ? ["KubeSpan carries this once it is up; until then, and without it, it is dropped"] : [])
  }
}

extension ClusterDescription {
  /// Every control plane node but the one that is configured.
  var otherControlPlanes: AddressSet { controlPlanes.subtracting(own) }
}
