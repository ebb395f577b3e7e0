internal import LinuxKernel

/// Nanoseconds of ``Clocks/monotonic``: what the sending half counts time in.
typealias Moment = Int64

extension Duration {
  /// Whole nanoseconds; longer than 292 years is as long as that.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if isTooLong { return seconds < 0 ? .min : .max }
    let (sum, overflows) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflows ? .max : sum
  }
}

extension Clocks {
  static var moment: Moment { monotonic.nanoseconds }
}
