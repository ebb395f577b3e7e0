import KernelComparison
import Sandbox
import Simulation

/// Finds the smallest ruleset and packet that still show a disagreement.
struct Shrinker {
  /// Whether a ruleset and packets show it; the tree is as it loads.
  typealias Test = (RulesetTree, [SandboxPacket]) -> Disagreement?

  private let test: Test
  private(set) var tree: RulesetTree
  private(set) var packets: [SandboxPacket]
  private(set) var disagreement: Disagreement
  private var attemptsLeft = 600

  init(
    _ tree: RulesetTree, _ packets: [SandboxPacket], _ disagreement: Disagreement,
    test: @escaping Test
  ) {
    self.tree = tree
    self.packets = packets
    self.disagreement = disagreement
    self.test = test
  }

  mutating func shrink() {
    keepFewPackets()
    var isSmaller = true
    while isSmaller, attemptsLeft > 0 {
      let before = tree
      removePieces()
      removeClauses()
      removeElements()
      removeSetElements()
      openPolicies()
      isSmaller = tree != before
    }
    keepFewPackets()
  }

  private mutating func removePieces() {
    var position = tree.lines.count - 1
    while position >= 0 {
      let lines = tree.lines
      guard position < lines.count else {
        position = lines.count - 1
        continue
      }
      var smaller = tree
      smaller.remove(lines[position].origin)
      _ = keeps(smaller, packets)
      position -= 1
    }
  }

  private mutating func removeClauses() {
    forEachRule { shrinker, table, chain, rule in
      var index = shrinker.tree.tables[table].chains[chain].rules[rule].count - 1
      while index >= 0, shrinker.tree.tables[table].chains[chain].rules[rule].count > 1 {
        var smaller = shrinker.tree
        smaller.tables[table].chains[chain].rules[rule].remove(at: index)
        _ = shrinker.keeps(smaller, shrinker.packets)
        index -= 1
      }
    }
  }

  private mutating func removeElements() {
    forEachRule { shrinker, table, chain, rule in
      for clause in shrinker.tree.tables[table].chains[chain].rules[rule].indices {
        let count = shrinker.tree.tables[table].chains[chain].rules[rule][clause].elements.count
        guard count > 1 else { continue }
        for element in stride(from: count - 1, through: 0, by: -1) {
          var smaller = shrinker.tree
          guard smaller.tables[table].chains[chain].rules[rule][clause].elements.count > 1 else {
            break
          }
          smaller.tables[table].chains[chain].rules[rule][clause].elements.remove(at: element)
          _ = shrinker.keeps(smaller, shrinker.packets)
        }
      }
    }
  }

  private mutating func removeSetElements() {
    for table in tree.tables.indices {
      for set in tree.tables[table].sets.indices {
        let count = tree.tables[table].sets[set].elements.count
        for element in stride(from: count - 1, through: 0, by: -1) {
          var smaller = tree
          smaller.tables[table].sets[set].elements.remove(at: element)
          _ = keeps(smaller, packets)
        }
      }
    }
  }

  private mutating func openPolicies() {
    for table in tree.tables.indices {
      for chain in tree.tables[table].chains.indices {
        guard let base = tree.tables[table].chains[chain].base,
          base.contains("policy drop")
        else { continue }
        var smaller = tree
        smaller.tables[table].chains[chain].base = base.replacing(
          "policy drop", with: "policy accept")
        _ = keeps(smaller, packets)
      }
    }
  }

  private mutating func forEachRule(_ body: (inout Shrinker, Int, Int, Int) -> Void) {
    for table in tree.tables.indices {
      for chain in tree.tables[table].chains.indices {
        for rule in tree.tables[table].chains[chain].rules.indices {
          body(&self, table, chain, rule)
        }
      }
    }
  }

  /// Leaves out the packets before the one that shows it, where they do not matter.
  private mutating func keepFewPackets() {
    let last = packets[disagreement.packet]
    if keeps(tree, [last]) { return }
    _ = keeps(tree, Array(packets[...disagreement.packet]))
    var size = packets.count / 2
    while size >= 1 {
      var start = 0
      while start + size < packets.count {
        var fewer = packets
        fewer.removeSubrange(start..<start + size)
        if !keeps(tree, fewer) { start += size }
      }
      size /= 2
    }
  }

  /// Takes the smaller one if it shows the same.
  private mutating func keeps(_ smaller: RulesetTree, _ fewer: [SandboxPacket]) -> Bool {
    guard attemptsLeft > 0, !smaller.tables.isEmpty else { return false }
    attemptsLeft -= 1
    guard let found = test(smaller, fewer), found.side == disagreement.side else { return false }
    tree = smaller
    packets = fewer
    disagreement = found
    return true
  }
}
