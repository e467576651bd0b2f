import Glibc
import Kernel
import Testing

@Suite struct WakefulWaitTests {
    /// Which time-outs one wait polls with; what it waits for comes after `microseconds` asleep.
    private func timeouts(_ wait: inout WakefulWait, _ timeout: Int32 = -1, comesAfter microseconds: UInt32 = 0)
        -> [Int32]
    {
        var timeouts: [Int32] = []
        let count = wait.wait(timeout) { timeout in
            timeouts.append(timeout)
            if timeout == 0 { return 0 }
            if microseconds > 0 { usleep(microseconds) }
            return 1
        }
        #expect(count == (timeout == 0 ? 0 : 1))
        return timeouts
    }

    @Test func staysAwakeWhenItPays() {
        var wait = WakefulWait(processors: 2)
        #expect(timeouts(&wait) == [-1])
        // On a busy machine a wait may seem long.
        #expect((0..<1000).contains { _ in timeouts(&wait, 5).starts(with: [0]) })
        // What comes while it is awake it returns without sleeping.
        var polls = 0
        let count = wait.wait(-1) { _ in
            polls += 1
            return 3
        }
        #expect(count == 3)
        #expect(polls == 1)
    }

    @Test func sleepsWhenItDoesNotPay() {
        var wait = WakefulWait(processors: 2)
        for _ in 0..<100 { _ = timeouts(&wait) }
        for _ in 0..<10 { _ = timeouts(&wait, comesAfter: 200) }
        #expect(timeouts(&wait) == [-1])
    }

    @Test func neverOnOneProcessorNorWithoutWaiting() {
        var alone = WakefulWait(processors: 1)
        for _ in 0..<100 { #expect(timeouts(&alone, 7) == [7]) }
        var wait = WakefulWait(processors: 2)
        for _ in 0..<100 { _ = timeouts(&wait) }
        #expect(timeouts(&wait, 0) == [0])
    }
}
