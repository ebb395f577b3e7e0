internal import Diagnostics

/// The kinds of documents that Talos has.
///
/// Source: the reference of Talos 1.14 (siderolabs/docs, `reference/configuration`).
enum DocumentKinds {
  /// The kinds that this front-end reads.
  static let read: Set<String> = [
    "NetworkDefaultActionConfig", "NetworkRuleConfig", "KubeNetworkConfig", "ResolverConfig",
    "KubeSpanConfig", "KubeFlannelCNIConfig",
  ]

  static func isKnown(_ kind: String) -> Bool { read.contains(kind) || others.contains(kind) }

  /// The kind that was probably meant: one that two slips make of it.
  static func nearest(to kind: String) -> String? {
    func stem(_ kind: String) -> String {
      kind.hasSuffix("Config") ? String(kind.dropLast("Config".count)) : kind
    }
    let stems = (read.sorted() + others.sorted()).map(stem)
    guard let name = Suggestion.nearest(to: stem(kind), among: stems),
      abs(name.count - stem(kind).count) <= 2
    else { return nil }
    return name + "Config"
  }

  /// Whether a kind that is not known may have to do with what is let in.
  static func mayFilter(_ kind: String) -> Bool {
    kind.hasPrefix("Network")
      || ["Filter", "Firewall", "Ingress", "Egress", "NAT", "NfTables"].contains {
        kind.contains($0)
      }
  }

  /// Kinds that have no part in the firewall.
  private static let others: Set<String> = [
    "BGPInstanceConfig", "BGPPeerConfig", "BlackholeRouteConfig", "BondConfig", "BridgeConfig",
    "CRIBaseRuntimeSpecConfig", "CRICustomizationConfig", "ContainerConfig", "DHCPv4Config",
    "DHCPv6Config", "DiscoveryIdentityConfig", "DiscoveryServiceConfig", "DummyLinkConfig",
    "EnvironmentConfig", "EtcFileConfig", "EthernetConfig", "EventSinkConfig",
    "ExistingVolumeConfig", "ExtensionServiceConfig", "ExternalVolumeConfig",
    "FilesystemScrubConfig", "FilesystemTrimConfig", "HCloudVIPConfig", "HTTPProbeConfig",
    "HostnameConfig", "ImageCacheConfig", "ImageVerificationConfig", "KernelModuleConfig",
    "KmsgLogConfig", "KubeAPIServerCAConfig", "KubeAPIServerConfig", "KubeAdmissionControlConfig",
    "KubeAggregatorCAConfig", "KubeAuditPolicyConfig", "KubeAuthenticationConfig",
    "KubeAuthorizerConfig", "KubeClusterConfig", "KubeControllerManagerConfig",
    "KubeCoreDNSConfig", "KubeCredentialProviderConfig", "KubeEtcdEncryptionConfig",
    "KubeExternalManifestConfig", "KubeInlineManifestConfig", "KubeNodeConfig", "KubePrismConfig",
    "KubeProxyConfig", "KubeSchedulerConfig", "KubeServiceAccountConfig", "KubeSpanEndpointsConfig",
    "KubeStaticPodConfig", "KubeTalosAPIAccessConfig", "KubeletConfig",
    "LVMLogicalVolumeConfig", "LVMVolumeGroupConfig", "Layer2VIPConfig", "LinkAliasConfig",
    "LinkConfig", "MacVLANConfig", "OOMConfig", "PCIDriverRebindConfig", "RAIDArrayConfig",
    "RawVolumeConfig", "RegistryAuthConfig", "RegistryMirrorConfig", "RegistryTLSConfig",
    "RoutingRuleConfig", "SecurityProfileConfig", "SideroLinkConfig", "StaticHostConfig",
    "SwapVolumeConfig", "SysctlConfig", "SysfsConfig", "TCPProbeConfig", "TimeSyncConfig",
    "TrustedRootsConfig", "UdevRulesConfig", "UnattendedInstallConfig", "UserVolumeConfig",
    "VLANConfig", "VRFConfig", "VXLANConfig", "VethConfig", "VolumeConfig", "WatchdogTimerConfig",
    "WireguardConfig", "ZswapConfig",
  ]
}
