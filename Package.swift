// swift-tools-version: 6.3
import PackageDescription

// Layers, bottom up; a target may depend only on targets above it.
let package = Package(
  name: "portproof",
  products: [.executable(name: "portproof", targets: ["portproof"])],
  targets: [
    // Layer 0: C libraries, and the shims Swift needs.
    .systemLibrary(
      name: "CNftables", pkgConfig: "libnftables", providers: [.apt(["libnftables-dev"])]),
    .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
    .target(name: "CLinuxShims"),

    // Layer 1: vocabulary.
    .target(name: "Addresses"),
    .target(name: "Diagnostics"),
    .target(name: "Wire", dependencies: ["Addresses"]),
    .target(name: "Documents", dependencies: ["CYaml"]),

    // Layer 2: the model, what is asked of it, what was answered.
    .target(name: "Rulesets", dependencies: ["Addresses", "Diagnostics"]),
    .target(name: "Outcomes", dependencies: ["Diagnostics"]),
    .target(name: "Scenarios", dependencies: ["Addresses", "Diagnostics", "Outcomes"]),

    // Layer 3: front-ends and engines.
    .target(name: "PacketSets", dependencies: ["Addresses"]),
    .target(
      name: "Proof",
      dependencies: [
        "Addresses", "Diagnostics", "Outcomes", "PacketSets", "Rulesets", "Scenarios", "Wire",
      ]),
    .target(
      name: "Simulation",
      dependencies: ["Addresses", "Documents", "Rulesets", "Wire"]),
    .target(
      name: "NftablesFrontend", dependencies: ["Addresses", "Diagnostics", "Documents", "Rulesets"]),
    .target(
      name: "TalosFrontend",
      dependencies: ["Addresses", "Diagnostics", "Documents", "Rulesets", "Scenarios"]),

    // Layer 4: this machine.
    .target(name: "LinuxKernel", dependencies: ["CLinuxShims"]),
    .target(
      name: "Netfilter", dependencies: ["CLinuxShims", "CNftables", "Diagnostics", "LinuxKernel"]),
    .target(name: "Capture", dependencies: ["Addresses", "CPcap", "LinuxKernel", "Wire"]),
    .target(
      name: "Sandbox",
      dependencies: [
        "Addresses", "Documents", "LinuxKernel", "Netfilter", "Rulesets", "Simulation",
      ]),
    .target(
      name: "Replay",
      dependencies: [
        "Addresses", "Documents", "LinuxKernel", "Outcomes", "Proof", "Rulesets", "Sandbox",
        "Scenarios", "Simulation", "Wire",
      ]),
    .target(
      name: "Probing",
      dependencies: [
        "Addresses", "Capture", "CNettle", "Diagnostics", "Documents", "LinuxKernel", "Outcomes",
        "Scenarios", "Wire",
      ]),

    // Layer 5: the tool.
    .target(name: "Reports", dependencies: ["Diagnostics", "Documents", "Outcomes"]),
    .target(
      name: "CommandLineTool",
      dependencies: [
        "Addresses", "Capture", "Diagnostics", "Documents", "LinuxKernel", "Netfilter",
        "NftablesFrontend", "Outcomes", "Probing", "Proof", "Replay", "Reports", "Rulesets",
        "Sandbox", "Scenarios", "Simulation", "TalosFrontend", "Wire",
      ]),
    .executableTarget(name: "portproof", dependencies: ["CommandLineTool", "LinuxKernel"]),

    // Benchmarks: `swift run -c release Benchmarks`.
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "Addresses", "Capture", "Diagnostics", "LinuxKernel", "NftablesFrontend", "portproof",
        "Probing", "Proof", "Rulesets", "Sandbox", "Scenarios", "Simulation", "TalosFrontend",
        "TestSupport",
        "Wire",
      ], path: "Tests/Benchmarks", exclude: ["z3-referee.py"]),

    // The two programs over one model, held against each other: `swift run -c release Agreement`.
    .executableTarget(
      name: "Agreement",
      dependencies: [
        "Addresses", "Diagnostics", "NftablesFrontend", "Proof", "Rulesets", "Simulation",
        "TestSupport",
      ], path: "Tests/Agreement"),

    // Kernel, simulator and prover, held against each other on drawn rulesets:
    // `swift run -c release Fuzz`.
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        "Addresses", "Diagnostics", "KernelComparison", "LinuxKernel", "Netfilter",
        "NftablesFrontend", "Rulesets", "Sandbox", "Simulation", "TestSupport", "Wire",
      ], path: "Tests/Fuzz", exclude: ["README.md", "mutation-check"]),
    .target(
      name: "KernelComparison",
      dependencies: [
        "Addresses", "Diagnostics", "NftablesFrontend", "Proof", "Rulesets", "Sandbox",
        "Simulation", "TestSupport", "Wire",
      ], path: "Tests/KernelComparison"),

    // What several tests use.
    .target(name: "TestSupport", dependencies: ["LinuxKernel"], path: "Tests/TestSupport"),

    // Tests, one target per target.
    .testTarget(name: "AddressesTests", dependencies: ["Addresses", "TestSupport"]),
    .testTarget(name: "DiagnosticsTests", dependencies: ["Diagnostics"]),
    .testTarget(name: "PacketSetsTests", dependencies: ["Addresses", "PacketSets", "TestSupport"]),
    .testTarget(
      name: "ProofTests",
      dependencies: [
        "Addresses", "Diagnostics", "NftablesFrontend", "Outcomes", "Proof", "Rulesets",
        "Scenarios", "Simulation", "TestSupport",
      ]),
    .testTarget(name: "WireTests", dependencies: ["Addresses", "TestSupport", "Wire"]),
    .testTarget(
      name: "SimulationTests",
      dependencies: [
        "Addresses", "Diagnostics", "Documents", "NftablesFrontend", "Outcomes", "Rulesets",
        "Simulation", "Wire",
      ]),
    .testTarget(name: "DocumentsTests", dependencies: ["Documents", "TestSupport"]),
    .testTarget(name: "RulesetsTests", dependencies: ["Addresses", "Rulesets"]),
    .testTarget(
      name: "NftablesFrontendTests",
      dependencies: [
        "Addresses", "Diagnostics", "Documents", "LinuxKernel", "Netfilter", "NftablesFrontend",
        "portproof", "Rulesets", "TestSupport",
      ]),
    .testTarget(
      name: "TalosFrontendTests",
      dependencies: [
        "Addresses", "Diagnostics", "NftablesFrontend", "Outcomes", "Proof", "Rulesets",
        "Scenarios", "TalosFrontend", "TestSupport",
      ]),
    .testTarget(
      name: "ScenariosTests",
      dependencies: ["Addresses", "Diagnostics", "Outcomes", "Scenarios", "TestSupport"]),
    .testTarget(
      name: "CaptureTests",
      dependencies: ["Addresses", "Capture", "LinuxKernel", "TestSupport", "Wire"]),
    .testTarget(name: "LinuxKernelTests", dependencies: ["LinuxKernel"]),
    .testTarget(
      name: "NetfilterTests",
      dependencies: ["Diagnostics", "LinuxKernel", "Netfilter", "TestSupport", "portproof"]),
    .testTarget(
      name: "SandboxTests",
      dependencies: [
        "Addresses", "Diagnostics", "KernelComparison", "LinuxKernel", "Netfilter",
        "NftablesFrontend", "Rulesets",
        "Sandbox", "Simulation", "TestSupport", "Wire", "portproof",
      ]),
    .testTarget(
      name: "ProbingTests",
      dependencies: [
        "Addresses", "Capture", "Diagnostics", "LinuxKernel", "Outcomes", "portproof", "Probing",
        "Scenarios", "TestSupport", "Wire",
      ]),
    .testTarget(
      name: "ReplayTests",
      dependencies: [
        "Addresses", "Diagnostics", "LinuxKernel", "Netfilter", "NftablesFrontend", "Outcomes",
        "Proof",
        "Replay", "Rulesets", "Sandbox", "Scenarios", "portproof",
      ]),
    .testTarget(
      name: "CommandLineToolTests",
      dependencies: [
        "Addresses", "CommandLineTool", "Diagnostics", "LinuxKernel", "Outcomes", "Replay",
        "Rulesets", "Scenarios", "Simulation", "portproof",
      ]),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["Addresses", "Capture", "LinuxKernel", "portproof", "TestSupport", "Wire"]),
    .testTarget(
      name: "ScenarioPacksTests",
      dependencies: [
        "Addresses", "Diagnostics", "LinuxKernel", "NftablesFrontend", "Outcomes", "Proof",
        "Rulesets", "Scenarios", "TalosFrontend", "portproof", "TestSupport",
      ]),
    .testTarget(name: "ReportsTests", dependencies: ["Diagnostics", "Outcomes", "Reports"]),
  ],
  swiftLanguageModes: [.v6]
)

var strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("InferIsolatedConformances"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

// A build with deliberate mistakes in it, for `Tests/Fuzz/mutation-check`.
if Context.environment["PORTPROOF_FAULTS"] != nil { strict.append(.define("FAULTS")) }

for target in package.targets where target.type != .system && target.name != "CLinuxShims" {
  target.swiftSettings = strict
}
