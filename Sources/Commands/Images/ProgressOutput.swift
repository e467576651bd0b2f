import CommandLineKit
import EngineClient
import EngineModel

/// Shows a progress stream: one line for each thing in progress, which is overwritten on a terminal.
struct ProgressOutput {
    /// Where it is shown.
    var descriptor: Int32 = 1
    /// Whether only failures are of interest.
    var isQuiet = false

    func show(_ stream: ResponseStream) async throws {
        let isTerminal = Terminal.isTerminal(descriptor)
        var lines: [String: Int] = [:]
        for try await value in stream.documents {
            let message = try ProgressMessage(json: value)
            if !message.error.isEmpty { throw ExitStatus(1, message.errorDetail?.message ?? message.error) }
            if isQuiet { continue }
            if !message.stream.isEmpty {
                write(message.stream)
            } else if !message.status.isEmpty {
                var text = message.id.isEmpty ? "" : message.id + ": "
                text += message.status
                let progress = Self.progress(message)
                if !progress.isEmpty {
                    guard isTerminal else { continue }
                    text += " " + progress
                }
                guard isTerminal, !message.id.isEmpty else {
                    write(text + "\n")
                    continue
                }
                if let line = lines[message.id] {
                    let up = lines.count - line
                    write("\u{1B}[\(up)A\u{1B}[2K\r\(text)\u{1B}[\(up)B\r")
                } else {
                    lines[message.id] = lines.count
                    write(text + "\n")
                }
            }
        }
    }

    private func write(_ text: String) {
        var text = text
        _ = text.withUTF8 { Output.write(UnsafeRawBufferPointer($0), to: descriptor) }
    }

    private static func progress(_ message: ProgressMessage) -> String {
        guard let detail = message.progressDetail, detail.current > 0 || detail.total > 0 else {
            return message.progress
        }
        let current = ByteSize.decimal(detail.current)
        if detail.total <= 0 { return current }
        let filled = min(50, Int(Double(detail.current) / Double(detail.total) * 50))
        let bar = String(repeating: "=", count: filled) + (filled < 50 ? ">" : "")
        return "[\(bar.padded(to: 50))] \(current)/\(ByteSize.decimal(detail.total))"
    }
}
