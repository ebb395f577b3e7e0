internal import Glibc

/// What time it is.
package enum Clocks {
  /// Time since some moment in the past, which nothing sets back.
  ///
  /// The corresponding C constant is `CLOCK_MONOTONIC`.
  package static var monotonic: Duration {
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
  }

  /// Lets other processes run for about this long.
  package static func sleep(_ duration: Duration) {
    _ = usleep(UInt32(max(0, min(duration.seconds, 1000)) * 1e6))
  }

  /// Nanoseconds since 1970-01-01T00:00:00Z.
  package static var wallNanoseconds: Int64 {
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }

  /// Whole seconds since 1970-01-01T00:00:00Z.
  package static var wallSeconds: Int { Glibc.time(nil) }
}

extension Duration {
  /// The duration as a fraction of seconds.
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
