package import Rulesets

/// Where one of the three says another thing than the kernel, or than each other.
package struct Disagreement: Hashable {
  package enum Side: String { case simulator, prover }

  package var side: Side
  package var packet: Int
  package var hook: Hook?
  package var words: String
}
