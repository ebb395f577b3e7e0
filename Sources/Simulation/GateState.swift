import Rulesets

/// What a limit, a quota or a count of connections is, in plain numbers.
///
/// Source: net/netfilter/nft_limit.c, nft_quota.c, nft_connlimit.c.
struct GatePlan: Sendable {
  enum Kind: Hashable, Sendable {
    /// A bucket of tokens, which are nanoseconds: its size, and what a packet or a byte costs.
    case packetLimit(size: UInt64, cost: UInt64)
    /// `isSizeKnown` is false where the listing does not say what may come at once.
    case byteLimit(size: UInt64, period: UInt64, amount: UInt64, isSizeKnown: Bool)
    case quota(byteCount: UInt64, used: UInt64)
    case connectionCount(UInt64)
    /// Nothing is known of it.
    case other
  }

  var kind: Kind
  /// Whether it passes when it is exceeded.
  var over = false
  /// What to say where the state does not decide.
  var reason: Int32

  init(_ gate: Gate, reason: Int32) {
    self.reason = reason
    kind = .other
    switch gate {
    case .limit(_, let rate, let over):
      self.over = over
      guard rate.amount > 0, rate.seconds < 1 << 32 else { break }
      let period = rate.seconds &* 1_000_000_000
      if rate.isBytes {
        let size = period.multipliedFullWidth(by: rate.amount &+ rate.burst)
        guard size.high < rate.amount else { break }
        let bucket = rate.amount.dividingFullWidth(size).quotient
        kind = .byteLimit(
          size: bucket, period: period, amount: rate.amount, isSizeKnown: rate.burst != 0)
      } else {
        let cost = period / rate.amount
        let (size, overflow) = cost.multipliedReportingOverflow(
          by: rate.burst == 0 ? 5 : rate.burst)
        if !overflow { kind = .packetLimit(size: size, cost: cost) }
      }
    case .quota(_, let byteCount, let used, let over):
      self.over = over
      kind = .quota(byteCount: byteCount, used: used)
    case .connectionCount(_, let count, let over):
      self.over = over
      kind = .connectionCount(UInt64(count))
    case .other: break
    }
  }

  /// How long the packets of a run may take together, in nanoseconds; a minute.
  static let runDuration: UInt64 = 60_000_000_000

  enum Answer: Hashable, Sendable {
    case passes
    case breaks
    case unknown
  }

  /// What packets left in a gate: bounds of its tokens, of its bytes, of its connections.
  struct State: Hashable, Sendable {
    var lower: UInt64
    var upper: UInt64
    /// What ways that are followed side by side may have taken besides.
    var pending: UInt64 = 0

    static let anything = State(lower: 0, upper: .max)
  }

  var initialState: State {
    switch kind {
    case .packetLimit(let size, _): State(lower: size, upper: size)
    case .byteLimit(let size, _, _, let isSizeKnown):
      State(lower: size, upper: isSizeKnown ? size : .max)
    case .quota(_, let used): State(lower: used, upper: used)
    case .connectionCount: State(lower: 0, upper: 0)
    case .other: .anything
    }
  }

  /// Lets a packet of `byteCount` bytes through the gate.
  ///
  /// - Parameters:
  ///   - byteCount: The packet's size.
  ///   - state: What the gate holds; it holds what it holds afterwards.
  ///   - isShared: Whether other ways of the same packet may pass here too.
  /// - Returns: Whether the packet passes, as far as the bounds decide it.
  func admit(byteCount: Int, _ state: inout State, isShared: Bool) -> Answer {
    switch kind {
    case .packetLimit(let size, let cost):
      return spend(cost, size, &state, isShared)
    case .byteLimit(let size, let period, let amount, let isSizeKnown):
      let product = period.multipliedFullWidth(by: UInt64(byteCount))
      guard product.high < amount else { return unknown(&state) }
      let cost = amount.dividingFullWidth(product).quotient
      return spend(cost, isSizeKnown ? size : .max, &state, isShared)
    case .quota(let byteCountLimit, _):
      let size = UInt64(byteCount)
      let lower = state.lower.addingReportingOverflow(size).partialValue
      let (upper, overflow) = state.upper.addingReportingOverflow(size &+ state.pending)
      if isShared { state.pending &+= size }
      if !isShared {
        state.lower = lower
        state.upper = overflow ? .max : upper
      }
      // Kernels differ in whether the last byte is within the quota.
      if lower > byteCountLimit { return over ? .passes : .breaks }
      if !overflow, upper < byteCountLimit { return over ? .breaks : .passes }
      return .unknown
    case .connectionCount(let limit):
      let upper = state.upper &+ state.pending &+ 1
      if isShared { state.pending &+= 1 } else { state.upper = min(upper, .max / 2) }
      return upper <= limit ? (over ? .breaks : .passes) : .unknown
    case .other: return .unknown
    }
  }

  private func unknown(_ state: inout State) -> Answer {
    state = .anything
    return .unknown
  }

  private func spend(
    _ cost: UInt64, _ size: UInt64, _ state: inout State, _ isShared: Bool
  ) -> Answer {
    let lower = state.lower > state.pending ? state.lower - state.pending : 0
    let (later, overflow) = state.upper.addingReportingOverflow(Self.runDuration)
    let upper = overflow ? size : min(size, later)
    if isShared {
      state.pending =
        state.pending.addingReportingOverflow(cost).overflow
        ? .max : state.pending + cost
    }
    if lower >= cost {
      if !isShared {
        state.lower = lower - cost
        state.upper = upper == .max ? .max : upper - cost
      }
      return over ? .breaks : .passes
    }
    if !isShared {
      state.upper = upper
      if upper >= cost { state.lower = 0 }
    }
    return upper < cost ? (over ? .passes : .breaks) : .unknown
  }

  /// Settles what ways side by side may have taken.
  func settle(_ state: inout State) {
    guard state.pending != 0 else { return }
    switch kind {
    case .packetLimit, .byteLimit:
      state.lower = state.lower > state.pending ? state.lower - state.pending : 0
      let (later, overflow) = state.upper.addingReportingOverflow(Self.runDuration)
      state.upper = overflow ? .max : later
    case .quota, .connectionCount:
      let (upper, overflow) = state.upper.addingReportingOverflow(state.pending)
      state.upper = overflow ? .max : upper
    case .other: break
    }
    state.pending = 0
  }
}
