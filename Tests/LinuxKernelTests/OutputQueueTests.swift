import LinuxKernel
import Testing

@Suite("An output queue")
struct OutputQueueTests {
  @Test func `waits for nobody, and keeps the order`() throws {
    let pipe = try Descriptor.pipe()
    let writer = try Descriptor(creating: pipe.writer.path)
    var queue = OutputQueue(to: writer, limit: 4 << 20)
    let line = Array(0...255) as [UInt8]
    // More than any pipe holds; nobody reads meanwhile.
    var refused = 0
    for _ in 0..<(3 << 12) where !queue.append(line) { refused += 1 }
    #expect(refused == 0)
    try queue.flush()
    let waiting = queue.count
    #expect(0 < waiting && waiting < 3 << 20)
    var got: [UInt8] = []
    while got.count < 3 << 20 {
      _ = try pipe.reader.read(1 << 16, into: &got)
      try queue.flush()
    }
    let left = queue.count
    #expect(left == 0)
    #expect(got.count == 3 << 20)
    #expect(got.indices.allSatisfy { got[$0] == UInt8(truncatingIfNeeded: $0) })
  }

  @Test func `takes all of a line or nothing, and what must be said always`() throws {
    let pipe = try Descriptor.pipe()
    let writer = try Descriptor(creating: pipe.writer.path)
    var queue = OutputQueue(to: writer, limit: 10)
    let answers = [
      queue.append([1, 2, 3, 4, 5, 6]), queue.append([7, 8, 9, 10, 11]),
      queue.append([12], isForced: true), queue.append([7, 8, 9, 10, 11], isForced: true),
    ]
    #expect(answers == [true, false, true, true])
    try queue.flush(until: Clocks.monotonic + .seconds(5))
    var got: [UInt8] = []
    _ = try pipe.reader.read(100, into: &got)
    #expect(got == [1, 2, 3, 4, 5, 6, 12, 7, 8, 9, 10, 11])
  }

  @Test func `says that a reader is gone, or takes nothing`() throws {
    let pipe = try Descriptor.pipe()
    let writer = try Descriptor(creating: pipe.writer.path)
    var queue = OutputQueue(to: writer)
    let isTaken = queue.append(Array(repeating: 0, count: 1 << 21))
    #expect(isTaken)
    var errors: [Errno] = []
    do throws(Errno) {
      try queue.flush(until: Clocks.monotonic + .milliseconds(50))
    } catch {
      errors.append(error)
    }
    close(pipe)
    do throws(Errno) { try queue.flush() } catch { errors.append(error) }
    #expect(errors == [.timedOut, .brokenPipe])
  }

  private func close(_ pipe: consuming Descriptor.Pipe) {}
}
