import Kernel
import NixBuild
import NixLanguage
import NixStore
import Synchronization

/// The last line of a terminal, which says how builds and copies go: `[1/3 built, 2/5 copied (0.4/3.1 MiB)] building foo`.
///
/// Whatever else is written to standard error goes through here while the line is shown, so that it stays whole: the
/// line is wiped, the text written, and the line drawn again.
final class ProgressLine: Sendable {
    static let shared = ProgressLine()

    private struct State {
        /// How often it was asked for and not given up.
        var users = 0
        var (built, toBuild, copied, toCopy) = (0, 0, 0, 0)
        var (bytes, allBytes) = (UInt64(0), UInt64(0))
        /// What goes on, the newest last.
        var activities: [(path: StorePath, text: String)] = []
        var isDrawn = false
        /// Nanoseconds of the monotonic clock.
        var drawnAt: Int64 = 0
        /// Whether other text ends in the middle of a line, which the line must not be drawn over.
        var isInLine = false
    }

    private let state = Mutex(State())

    /// Shows it until the end of `body`, where standard error is a terminal that can go back in a line.
    static func during<Result>(_ isWanted: Bool, _ body: () throws -> Result) rethrows -> Result {
        let isPossible = Output.error.isTerminal && !["", "dumb"].contains(LocalHost().environment("TERM") ?? "")
        guard isWanted, isPossible else { return try body() }
        shared.state.withLock { $0.users += 1 }
        defer {
            shared.state.withLock { state in
                shared.wipe(&state)
                state.users -= 1
                if state.users == 0 { state = State() }
            }
        }
        return try body()
    }

    /// Whether it is shown, so that what it says need not be said.
    var isShown: Bool { state.withLock { $0.users > 0 } }

    /// Writes to standard error, above the line where there is one.
    func write(_ bytes: [UInt8]) {
        state.withLock { state in
            wipe(&state)
            Output.error.writeAtOnce(bytes)
            guard state.users > 0, let last = bytes.last else { return }
            state.isInLine = last != UInt8(ascii: "\n")
            draw(&state)
        }
    }

    // MARK: What goes on

    func show(_ plan: BuildPlan) { update { $0.toBuild += plan.toBuild.count } }

    func show(_ event: BuildEvent) {
        switch event {
        case .building(let path, _): update { $0.activities.append((path, "building \(Self.name(path))")) }
        case .line(let path, let bytes):
            let text = String(decoding: TerminalText.plain(bytes), as: UTF8.self)
            update(isUrgent: false) { state in
                guard let index = state.activities.firstIndex(where: { $0.path == path }) else { return }
                let activity = (path, "building \(Self.name(path)): \(text)")
                state.activities.remove(at: index)
                state.activities.append(activity)
            }
        case .built(let path):
            update { state in
                state.built += 1
                state.activities.removeAll { $0.path == path }
            }
        case .failed(let path, _): update { state in state.activities.removeAll { $0.path == path } }
        case .waiting, .warning, .kept, .note, .hookLine: break
        }
    }

    func show(_ event: ClosureCopy.Event) {
        switch event {
        case .planned(let count, let size):
            update { state in
                state.toCopy += count
                state.allBytes += size
            }
        case .began(let info): update { $0.activities.append((info.path, "copying \(Self.name(info.path))")) }
        case .copied(_, let bytes): update(isUrgent: false) { $0.bytes += UInt64(bytes) }
        case .finished(let info):
            update { state in
                state.copied += 1
                state.activities.removeAll { $0.path == info.path }
            }
        case .failed(let info): update { state in state.activities.removeAll { $0.path == info.path } }
        }
    }

    static func name(_ path: StorePath) -> String {
        path.isDerivation ? String(path.name.dropLast(4)) : String(path.name)
    }

    // MARK: Drawing

    /// - Parameter isUrgent: whether the change is shown although the line was drawn a moment ago.
    private func update(isUrgent: Bool = true, _ change: (inout State) -> Void) {
        state.withLock { state in
            guard state.users > 0 else { return }
            change(&state)
            guard isUrgent || Timestamp.monotonic.totalNanoseconds - state.drawnAt > 50_000_000 else { return }
            wipe(&state)
            draw(&state)
        }
    }

    private func wipe(_ state: inout State) {
        guard state.isDrawn else { return }
        state.isDrawn = false
        Output.error.writeAtOnce(Array("\r\u{1B}[K".utf8))
    }

    private func draw(_ state: inout State) {
        guard !state.isInLine else { return }
        var counts: [String] = []
        if state.toBuild > 0 { counts.append("\(state.built)/\(state.toBuild) built") }
        if state.toCopy > 0 {
            counts.append(
                "\(state.copied)/\(state.toCopy) copied "
                    + "(\(Self.tenths(state.bytes))/\(Self.tenths(state.allBytes)) MiB)")
        }
        guard !counts.isEmpty else { return }
        let text = "[\(counts.joined(separator: ", "))]" + (state.activities.last.map { " " + $0.text } ?? "")
        let columns = Int((try? FileDescriptor.standardError.terminalSize())?.columns ?? 0)
        Output.error.writeAtOnce(Array(Self.cut(text, to: columns == 0 ? 79 : columns - 1).utf8))
        state.isDrawn = true
        state.drawnAt = Timestamp.monotonic.totalNanoseconds
    }

    private static func tenths(_ bytes: UInt64) -> String {
        let tenths = (bytes &* 10 &+ (1 << 19)) >> 20
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// As much as fits into a line, without what moves the cursor. What is not ASCII may be two columns wide.
    static func cut(_ text: String, to columns: Int) -> String {
        var (room, fitting) = (columns, String.UnicodeScalarView())
        for scalar in text.unicodeScalars where scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value) {
            room -= scalar.isASCII ? 1 : 2
            if room < 0 { break }
            fitting.append(scalar)
        }
        return String(fitting)
    }
}
