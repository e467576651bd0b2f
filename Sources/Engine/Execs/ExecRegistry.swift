import EngineModel
import Monitor
import Synchronization

/// A program to be run, or that runs or ran, in a container beside its own. Only in memory: it ends with the container.
struct ExecRecord: Sendable {
    enum Phase: Sendable, Equatable {
        case created
        case starting
        case running(Int32)
        case exited(Int)
    }

    var id: String
    var containerID: String
    var request: ExecCreateRequest
    var phase = Phase.created
    var exit = AsyncValue<Int>()
    /// When it ended, to be forgotten some time later.
    var endedAt: Timestamp?
}

/// All execs, by ID.
final class ExecRegistry: Sendable {
    /// How long an exec that ended can still be inspected.
    static let memory: Double = 300

    private let records = Mutex<[String: ExecRecord]>([:])

    func insert(_ record: ExecRecord) {
        let now = Timestamp.now
        records.withLock { records in
            if records.count >= 64 {
                records = records.filter { entry in
                    entry.value.endedAt.map { now.timeInterval(since: $0) < Self.memory } ?? true
                }
            }
            records[record.id] = record
        }
    }

    func find(_ id: String) throws(EngineError) -> ExecRecord {
        guard let record = records.withLock({ $0[id] }) else { throw .noSuchExec(id) }
        return record
    }

    /// Changes a record; `nil` when there is none.
    @discardableResult
    func change<Result: Sendable>(_ id: String, _ body: (inout ExecRecord) -> Result) -> Result? {
        records.withLock { records in
            guard var record = records[id] else { return nil }
            defer { records[id] = record }
            return body(&record)
        }
    }

    func remove(_ id: String) { records.withLock { $0[id] = nil } }

    /// The execs of a container that have not ended.
    func running(inContainer id: String) -> [String] {
        records.withLock { records in
            records.values.filter { $0.containerID == id && $0.endedAt == nil && $0.phase != .created }.map(\.id)
                .sorted()
        }
    }

    func exited(_ id: String, _ code: Int) {
        change(id) { record in
            guard record.endedAt == nil else { return }
            record.phase = .exited(code)
            record.endedAt = .now
            record.exit.set(code)
        }
    }

    /// The container ended, and all in it.
    func end(ofContainer id: String) {
        for exec in running(inContainer: id) { exited(exec, 137) }
    }

    func remove(ofContainer id: String) {
        records.withLock { $0 = $0.filter { $0.value.containerID != id } }
    }

    func exitCode(of id: String, within duration: Duration) async throws -> Int? {
        try await find(id).exit.get(within: duration)
    }

    /// Takes over what a monitor knows, after a restart of the daemon.
    func adopt(_ states: [MonitorState.ExecState], container: Container) {
        for state in states {
            var record = ExecRecord(id: state.execID, containerID: container.id, request: ExecCreateRequest())
            record.phase = .running(state.processID)
            insert(record)
            if let code = state.exitCode { exited(state.execID, Int(code)) }
        }
    }
}
