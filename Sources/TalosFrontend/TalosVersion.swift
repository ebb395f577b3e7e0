/// A version of Talos Linux.
///
/// What a machine configuration becomes depends on it, down to the patch level. A version without a
/// patch number, `1.12`, is the newest patch of its line.
package struct TalosVersion: Hashable, Sendable {
  /// How far a version is on its way to a release.
  package enum Stage: Hashable, Sendable, Comparable {
    case alpha(Int)
    case beta(Int)
    case candidate(Int)
    case release
  }

  package let major: Int
  package let minor: Int
  /// The patch number; nil for the newest patch of the line.
  package let patch: Int?
  package let stage: Stage

  package init(_ major: Int, _ minor: Int, _ patch: Int? = nil, _ stage: Stage = .release) {
    self.major = major
    self.minor = minor
    self.patch = patch
    self.stage = stage
  }

  /// The newest stable version that this front-end was written against: v1.13.9.
  package static let standard = TalosVersion(1, 13)

  /// The first version that has a firewall, and the line that is not released yet.
  package static let oldest = TalosVersion(1, 6, 0)
  package static let newest = TalosVersion(1, 15)

  /// Reads `1.13`, `v1.12.3`, `1.14.0-rc.1`; nil for anything else.
  package init?(_ text: some StringProtocol) {
    var rest = Substring(text)
    if rest.first == "v" { rest.removeFirst() }
    let halves = rest.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = halves[0].split(separator: ".", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Self.number($0) }
    guard 2...3 ~= parts.count, numbers.count == parts.count else { return nil }
    var stage = Stage.release
    if halves.count == 2 {
      let words = halves[1].split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 3, words.count == 2, let number = Self.number(words[1]) else {
        return nil
      }
      switch words[0] {
      case "alpha": stage = .alpha(number)
      case "beta": stage = .beta(number)
      case "rc": stage = .candidate(number)
      default: return nil
      }
    }
    self.init(numbers[0], numbers[1], numbers.count == 3 ? numbers[2] : nil, stage)
  }

  private static func number(_ text: Substring) -> Int? {
    guard 1...4 ~= text.utf8.count, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    return Int(text)
  }

  /// Whether the front-end knows what this version does: 1.6 to 1.15.
  package var isKnown: Bool {
    self >= .oldest && (major, minor) <= (Self.newest.major, Self.newest.minor)
  }
}

extension TalosVersion: Comparable {
  package static func < (left: Self, right: Self) -> Bool {
    let lefts = (left.major, left.minor, left.patch ?? .max)
    let rights = (right.major, right.minor, right.patch ?? .max)
    return lefts == rights ? left.stage < right.stage : lefts < rights
  }
}

extension TalosVersion: CustomStringConvertible {
  package var description: String {
    let number = "\(major).\(minor)" + (patch.map { ".\($0)" } ?? "")
    return switch stage {
    case .alpha(let count): "\(number)-alpha.\(count)"
    case .beta(let count): "\(number)-beta.\(count)"
    case .candidate(let count): "\(number)-rc.\(count)"
    case .release: number
    }
  }
}
