/// One thing that the machine can do or not.
struct DoctorFinding {
  enum Standing: String, Hashable, Sendable, CaseIterable {
    case works
    /// Answers are the poorer for it, and none is wrong.
    case lessens
    case fails
  }

  var name: String
  var standing: Standing
  /// What was seen, and what it means.
  var detail: String
  /// What to change.
  var help: String?
}
