/// What a kernel said of the packets that stand for an answer.
package struct ReplayEvidence: Hashable, Sendable {
  package enum Answer: Hashable, Sendable {
    /// Every packet that was sent met the fate that was foretold.
    case agrees
    case disagrees
    /// No packet could be sent; why.
    case notPossible(String)
  }

  package var answer: Answer
  /// How many packets went through the kernel.
  package var packetCount: Int
  /// Packets that were not sent, by why.
  package var omissions: [Omission]
  package var mismatches: [ReplayMismatch]

  /// Packets that were not sent, for one reason.
  package struct Omission: Hashable, Sendable {
    package var reason: String
    package var count: Int

    package init(reason: String, count: Int) {
      self.reason = reason
      self.count = count
    }
  }

  package init(
    _ answer: Answer, packetCount: Int = 0, omissions: [Omission] = [],
    mismatches: [ReplayMismatch] = []
  ) {
    self.answer = answer
    self.packetCount = packetCount
    self.omissions = omissions
    self.mismatches = mismatches
  }
}

/// A packet that the model and the kernel, or the proof and the model, treat differently.
package struct ReplayMismatch: Hashable, Sendable {
  /// Which two differ.
  package enum Between: String, Hashable, Sendable {
    case modelAndKernel = "mismatch.model-kernel"
    case proofAndModel = "mismatch.proof-model"
  }

  package var between: Between
  /// The firewall whose ruleset the packet met.
  package var firewall: String
  package var packet: PacketDescription
  /// One line: `input: the model accepts, the kernel drops`.
  package var summary: String
  /// What each says, hook by hook.
  package var hooks: [HookComparison]
  /// The directory that reproduces it; nil where none could be written.
  package var bundle: String?

  package init(
    between: Between, firewall: String, packet: PacketDescription, summary: String,
    hooks: [HookComparison], bundle: String? = nil
  ) {
    self.between = between
    self.firewall = firewall
    self.packet = packet
    self.summary = summary
    self.hooks = hooks
    self.bundle = bundle
  }
}

/// What the model and the kernel say of a packet at one hook.
package struct HookComparison: Hashable, Sendable {
  package var hook: String
  /// `accept`, `drop` or `reject`; nil where the packet does not get there.
  package var model: String?
  package var kernel: String?
  package var modelTrace: [TraceStep]
  package var kernelTrace: [TraceStep]

  package var isEqual: Bool {
    // A kernel says that a packet did not leave a hook, not whether it was answered.
    model == kernel || (model == "reject" && kernel == "drop")
  }

  package init(
    hook: String, model: String?, kernel: String?, modelTrace: [TraceStep] = [],
    kernelTrace: [TraceStep] = []
  ) {
    self.hook = hook
    self.model = model
    self.kernel = kernel
    self.modelTrace = modelTrace
    self.kernelTrace = kernelTrace
  }
}

/// What came of replaying a run's answers.
package struct ReplaySummary: Hashable, Sendable {
  /// How many different packets went through the kernel.
  package var packetCount: Int
  package var disagreementCount: Int
  /// Packets that were not sent, by why.
  package var omissions: [ReplayEvidence.Omission]
  /// Why this machine cannot replay at all; nil where it can.
  package var obstacle: Obstacle?

  package struct Obstacle: Hashable, Sendable {
    package var reason: String
    /// What the reader can do.
    package var help: String?

    package init(reason: String, help: String?) {
      self.reason = reason
      self.help = help
    }
  }

  package init(
    packetCount: Int = 0, disagreementCount: Int = 0,
    omissions: [ReplayEvidence.Omission] = [], obstacle: Obstacle? = nil
  ) {
    self.packetCount = packetCount
    self.disagreementCount = disagreementCount
    self.omissions = omissions
    self.obstacle = obstacle
  }
}
