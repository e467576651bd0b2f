import EngineModel
import JSON
import Monitor
import Synchronization

/// A container in memory. Its record and status are copies of the database's; the rest lives only as long as the daemon.
final class Container: Sendable {
    let id: String
    /// Held by whoever changes what the container does in several steps.
    let lock = AsyncLock()
    private let state: Mutex<State>
    /// Ends when the container is removed.
    let removal = AsyncValue<Int>()

    struct State: Sendable {
        var record: ContainerRecord
        var status: ContainerStatus
        /// The processes, while there are any.
        var run: ContainerRun?
        /// What the run has of networks; `nil` where it has none of its own.
        var network: RunNetwork?
        /// How the next run will end; replaced at each exit.
        var nextExit = AsyncValue<ExitOutcome>()
        /// Clients that attached before the start.
        var waitingAttachments: [WaitingAttachment] = []
        var execs: [String] = []
        var health: Health?
        var healthTask: Task<Void, Never>?
        /// The restart that is waited for.
        var restart: Task<Void, Never>?
        var restartDelay = RestartDelay()
        /// Set while someone stops it, so that its exit is not an accident.
        var isStopping = false
    }

    init(_ record: ContainerRecord, _ status: ContainerStatus) {
        id = record.id
        state = Mutex(State(record: record, status: status))
    }

    var record: ContainerRecord { state.withLock { $0.record } }
    var status: ContainerStatus { state.withLock { $0.status } }
    var name: String { state.withLock { $0.record.name } }
    var run: ContainerRun? { state.withLock { $0.run } }

    func read<Value>(_ body: (borrowing State) -> Value) -> Value where Value: Sendable {
        state.withLock { body($0) }
    }

    @discardableResult
    func change<Value>(_ body: (inout State) -> Value) -> Value where Value: Sendable {
        state.withLock { body(&$0) }
    }
}

/// How a run ended.
struct ExitOutcome: Sendable, Equatable {
    var exitCode: Int
    var error: String?
}

/// One life of a container, from the spawn of its monitor to its end.
final class ContainerRun: Sendable {
    let connection: MonitorConnection
    let processID: Int32
    let isTerminal: Bool
    /// The cgroup's path as in the specification.
    let cgroupsPath: String
    /// Ends when the exit is dealt with and recorded.
    let exit = AsyncValue<ExitOutcome>()

    init(connection: MonitorConnection, processID: Int32, isTerminal: Bool, cgroupsPath: String) {
        self.connection = connection
        self.processID = processID
        self.isTerminal = isTerminal
        self.cgroupsPath = cgroupsPath
    }
}

/// A client that attached to a container that does not run yet: the engine's end of its stream.
struct WaitingAttachment: Sendable {
    var descriptor: CInt
    var request: MonitorRequest.Attach
}

/// How long to wait before the next restart: 100 ms, doubled each time up to a minute, and from the beginning again
/// after a run of ten seconds.
package struct RestartDelay: Sendable, Equatable {
    package private(set) var nextMilliseconds = 100

    package init() {}

    /// - Parameter ran: how long the run that ended took, in seconds.
    package mutating func next(afterRunning ran: Double) -> Duration {
        if ran >= 10 { nextMilliseconds = 100 }
        defer { nextMilliseconds = min(nextMilliseconds * 2, 60_000) }
        return .milliseconds(nextMilliseconds)
    }

    package mutating func reset() { nextMilliseconds = 100 }
}
