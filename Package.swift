// swift-tools-version: 6.3
import PackageDescription

// Layers, bottom up; a target may depend only on targets above it.
let package = Package(
  name: "portproof",
  products: [.executable(name: "portproof", targets: ["portproof"])],
  targets: [
    // Layer 1: vocabulary.
    .target(name: "Addresses"),
    .target(name: "Diagnostics"),
    .target(name: "Wire", dependencies: ["Addresses"]),
    .target(name: "Documents"),

    // Layer 2: the model, what is asked of it, what was answered.
    .target(name: "Rulesets", dependencies: ["Addresses", "Diagnostics"]),
    .target(name: "Outcomes", dependencies: ["Diagnostics"]),
    .target(name: "Scenarios", dependencies: ["Addresses", "Diagnostics", "Outcomes"]),

    // Layer 3: front-ends and engines.
    .target(
      name: "Simulation",
      dependencies: ["Addresses", "Documents", "Outcomes", "Rulesets", "Wire"]),
    .target(
      name: "NftablesFrontend", dependencies: ["Addresses", "Diagnostics", "Documents", "Rulesets"]),

    // Layer 5: the tool.
    .executableTarget(
      name: "portproof",
      dependencies: ["Diagnostics", "NftablesFrontend", "Rulesets", "Simulation"]),

    // Tests, one target per target.
    .testTarget(name: "AddressesTests", dependencies: ["Addresses"]),
    .testTarget(name: "DiagnosticsTests", dependencies: ["Diagnostics"]),
    .testTarget(name: "WireTests", dependencies: ["Addresses", "Wire"]),
    .testTarget(
      name: "SimulationTests",
      dependencies: [
        "Addresses", "Diagnostics", "Documents", "NftablesFrontend", "Outcomes", "Rulesets",
        "Simulation", "Wire",
      ]),
    .executableTarget(
      name: "SimulationBenchmark",
      dependencies: [
        "Addresses", "Diagnostics", "NftablesFrontend", "Rulesets", "Simulation", "Wire",
      ], path: "Tests/SimulationBenchmark"),
    .testTarget(name: "DocumentsTests", dependencies: ["Documents"]),
    .testTarget(name: "RulesetsTests", dependencies: ["Addresses", "Rulesets"]),
    .testTarget(
      name: "NftablesFrontendTests",
      dependencies: ["Addresses", "Diagnostics", "Documents", "NftablesFrontend", "Rulesets"]),
  ],
  swiftLanguageModes: [.v6]
)

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("InferIsolatedConformances"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

for target in package.targets where target.type != .system && target.name != "CLinuxShims" {
  target.swiftSettings = strict
}
