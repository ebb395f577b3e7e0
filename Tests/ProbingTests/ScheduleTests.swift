import Addresses
import Testing

@testable import Probing

/// When probes are sent and given up, with a clock that the test moves.
@Suite struct ScheduleTests {
  private let near = IPAddress.ipv4(IPv4Address(rawValue: 0xC000_0201))
  private let far = IPAddress.ipv4(IPv4Address(rawValue: 0xC000_0202))

  private func probes(
    _ count: Int, transmissions: Int = 2, isPaced: Bool = false
  ) -> [Probe] {
    (0..<count).map {
      Probe(
        from: near, to: far, .tcp(UInt16($0)), transmissions: transmissions,
        timeout: .milliseconds(100), isPaced: isPaced)
    }
  }

  /// What is sent to somebody who never answers, and when, until everything has been given up.
  private func silentRun(
    _ schedule: inout Schedule, from start: Moment = 0
  ) -> (sent: [(probe: Int, time: Moment)], silent: [(probe: Int, time: Moment)]) {
    var sent: [(probe: Int, time: Moment)] = []
    var given: [(probe: Int, time: Moment)] = []
    var now = start
    while !schedule.isDone, now < start + 3_600_000_000_000 {
      var due: [Int] = []
      schedule.due(now, limit: 256, into: &due)
      for probe in due {
        schedule.sent(probe, now)
        sent.append((probe, now))
      }
      var silent: [Int] = []
      var again: [Int] = []
      schedule.expire(now, into: &silent, again: &again)
      for probe in silent {
        schedule.end(probe, isAnswered: false)
        given.append((probe, now))
      }
      now = max(now + 1, schedule.nextMoment(now))
    }
    return (sent, given)
  }

  @Test func `what stays silent is sent in rounds and given up a timeout after the last`() {
    var schedule = Schedule(probes(3), rate: .unlimited, now: 0)
    let run = silentRun(&schedule)
    #expect(run.sent.map(\.probe) == [0, 1, 2, 0, 1, 2])
    #expect(run.sent.suffix(3).allSatisfy { $0.time >= 100_000_000 })
    #expect(run.silent.map(\.probe) == [0, 1, 2])
    for each in run.silent {
      #expect(each.time - schedule.lastSent(each.probe) >= 100_000_000)
    }
  }

  @Test func `a rate holds over every second`() throws {
    var schedule = Schedule(probes(500, transmissions: 1), rate: .perTarget(100), now: 0)
    let times = silentRun(&schedule).sent.map(\.time)
    #expect(times.count == 500)
    for index in 0..<399 {
      // A hundred in a second, and one that the second begins with.
      #expect(times[index + 101] - times[index] >= 1_000_000_000, "from \(index)")
    }
  }

  @Test func `a new address is sent a few packets before the rest`() {
    var schedule = Schedule(probes(200, transmissions: 1), rate: .unlimited, now: 0)
    let times = silentRun(&schedule).sent.map(\.time)
    #expect(times.prefix { $0 == 0 }.count == Schedule.firstPackets)
    #expect(times[Schedule.firstPackets] == Schedule.firstPause)
  }

  @Test(arguments: [1, 2, 3])
  func `the last transmission of a paced probe goes alone`(_ transmissions: Int) {
    let all = probes(2) + probes(9, transmissions: transmissions, isPaced: true)
    var schedule = Schedule(all, rate: .unlimited, now: 0)
    let run = silentRun(&schedule)
    #expect(run.sent.count == 4 + 9 * transmissions)
    #expect(run.sent.prefix(4).allSatisfy { $0.probe < 2 })
    for probe in 2..<11 {
      let last = run.sent.lastIndex { $0.probe == probe }
      guard let last else {
        Issue.record("probe \(probe) was not sent")
        continue
      }
      let wait = run.sent[last].time - run.sent[last - 1].time
      #expect(wait >= Schedule.errorInterval, "probe \(probe)")
    }
    let close = zip(run.sent.dropFirst(4), run.sent.dropFirst(3)).count {
      $0.time - $1.time < Schedule.errorInterval
    }
    #expect(close == (transmissions > 1 ? Schedule.errorBurst : 0))
  }

  @Test func `what was sent before a question counts for paced probes`() {
    let before: Moment = 5_000_000_000
    var schedule = Schedule(
      probes(1, transmissions: 1, isPaced: true), rate: .unlimited, lastSent: [far: before],
      now: before + 1)
    #expect(
      silentRun(&schedule, from: before + 1).sent.map(\.time) == [before + Schedule.errorInterval])
  }

  @Test func `a silence that may be a loss is mended, but not for ever`() {
    var schedule = Schedule(probes(1, transmissions: 1), rate: .unlimited, now: 0)
    var now: Moment = 0
    var sent = 0
    var isMended = true
    while isMended {
      var due: [Int] = []
      schedule.due(now, limit: 1, into: &due)
      for probe in due {
        schedule.sent(probe, now)
        sent += 1
      }
      now = schedule.nextMoment(now)
      var silent: [Int] = []
      var again: [Int] = []
      schedule.expire(now, into: &silent, again: &again)
      for probe in silent { isMended = schedule.repair(probe) }
    }
    #expect(sent == 1 + Int(Schedule.repairs))
  }
}
