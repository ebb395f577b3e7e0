import TestSupport

/// Random choices that depend on a seed alone.
struct Draw {
  private var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  mutating func bits(_ count: Int) -> UInt128 {
    let value = UInt128(random.next()) << 64 | UInt128(random.next())
    return count >= 128 ? value : value & ((1 << UInt128(count)) - 1)
  }

  mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &random)]
  }

  /// One of several values, each as often as its weight says.
  mutating func pick<Value>(weighted values: [(Int, Value)]) -> Value {
    var left = Int.random(in: 0..<values.reduce(0) { $0 + $1.0 }, using: &random)
    for (weight, value) in values {
      left -= weight
      if left < 0 { return value }
    }
    preconditionFailure("the weights add up to what was drawn from")
  }

  mutating func some<Value>(_ count: ClosedRange<Int>, of values: [Value]) -> [Value] {
    Array(values.shuffled(using: &random).prefix(number(count)))
  }
}
