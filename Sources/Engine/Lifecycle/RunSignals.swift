import Monitor

/// What a monitor tells of one run, gathered on the reactor's thread for the tasks that wait for it.
final class RunSignals: Sendable {
    enum End: Sendable {
        case exited(ExitRecord)
        /// The monitor is gone without having told of an exit.
        case lost
    }

    struct Process: Sendable {
        let id: Int32
        /// Its parent, where that is known to be alive: a number that another process has got since has another one.
        var parentID: Int32?
    }

    /// Whose network may be furnished.
    let networkExists = AsyncValue<Result<Process, MonitorError>>()
    let created = AsyncValue<Result<Int32, MonitorError>>()
    let ended = AsyncValue<End>()
    private let whenOutOfMemory: @Sendable () -> Void
    private let whenExecExited: @Sendable (String, Int32) -> Void

    init(
        whenOutOfMemory: @escaping @Sendable () -> Void, whenExecExited: @escaping @Sendable (String, Int32) -> Void
    ) {
        self.whenOutOfMemory = whenOutOfMemory
        self.whenExecExited = whenExecExited
    }

    /// Never blocks.
    func deliver(_ event: MonitorEvent) {
        switch event {
        case .cloned(let processID, let monitorProcessID):
            networkExists.set(.success(Process(id: processID, parentID: monitorProcessID)))
        case .created(let processID):
            networkExists.set(.success(Process(id: processID)))
            created.set(.success(processID))
        case .failed(let error):
            networkExists.set(.failure(error))
            created.set(.failure(error))
            ended.set(.lost)
        case .exited(let record): ended.set(.exited(record))
        case .outOfMemory: whenOutOfMemory()
        case .execExited(let id, let code): whenExecExited(id, code)
        case .lost:
            networkExists.set(.failure(MonitorError(.lost, "the monitor ended unexpectedly")))
            created.set(.failure(MonitorError(.lost, "the monitor ended unexpectedly")))
            ended.set(.lost)
        }
    }
}
