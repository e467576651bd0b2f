import Glibc

/// Waiting that stays awake for a moment while what it waits for has lately come within such a moment.
///
/// To sleep and to be woken takes a thread tens of microseconds, on virtual machines more: longer than many a question
/// needs to be answered. The moment grows while it pays and shrinks to nothing when it does not, as the kernel's
/// halt polling does for its guests. So a thread with little to do sleeps, one with much to do never gets here, and one
/// that waits for somebody whose processor it occupies soon gives it up.
package struct WakefulWait {
    /// In nanoseconds.
    package static let longest: UInt64 = 50_000
    static let shortest: UInt64 = 10_000

    /// How long to stay awake now.
    private var moment: UInt64 = 0
    private let isAllowed: Bool

    /// - Parameter processors: whose number; with one, staying awake keeps away what is waited for.
    package init(processors: Int = sysconf(Int32(_SC_NPROCESSORS_ONLN))) { isAllowed = processors > 1 }

    /// - Parameters:
    ///   - timeout: in milliseconds; -1: for ever; 0: not at all.
    ///   - poll: waits as long as it is told and returns how much has come.
    package mutating func wait(_ timeout: Int32, _ poll: (Int32) -> Int) -> Int {
        guard isAllowed, timeout != 0 else { return poll(timeout) }
        let start = EventLoop.now()
        if moment > 0 {
            repeat {
                let count = poll(0)
                if count != 0 { return count }
            } while EventLoop.now() - start < moment
        }
        let count = poll(timeout)
        let waited = EventLoop.now() - start
        if waited > Self.longest {
            moment = moment > Self.shortest ? moment / 2 : 0
        } else {
            moment = min(max(moment * 2, Self.shortest), Self.longest)
        }
        return count
    }
}
