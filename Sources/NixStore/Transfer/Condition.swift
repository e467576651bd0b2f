import Glibc

/// A lock with which threads wait until something under it has changed.
///
/// Whoever holds one touches what it protects only within `locked`.
struct Condition: ~Copyable, @unchecked Sendable {
    // `@unchecked Sendable`: both are made for several threads, and neither pointer changes.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Gives the lock away until somebody calls `broadcast`; only within `locked`.
    func wait() { pthread_cond_wait(changed, mutex) }

    /// Wakes all who wait.
    func broadcast() { pthread_cond_broadcast(changed) }
}
