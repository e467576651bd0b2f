/// Writes an error as Nix does: the trace from the outside in, then the message, its place, and what may have been meant.
struct ErrorPrinter {
    let positions: PositionTable
    /// Without it, only the outermost frames are shown.
    let showsTrace: Bool

    private struct Output {
        var text = ""
        var count = 0
    }

    func print(_ error: EvaluationError, prefix: String = "error:", isIndented: Bool = true) -> String {
        var output = Output()
        let frames = error.trace?.frames ?? []
        if !frames.isEmpty {
            write(frames, &output)
            output.text += "\n" + prefix + " "
        }
        output.text += error.message + "\n"
        writePlace(error.position, "", &output)
        if !error.suggestions.isEmpty {
            output.text += "Did you mean \(list(error.suggestions))?\n"
        }
        let text = Self.trimmed(output.text)
        guard isIndented else { return prefix + text }
        return indent(prefix + " ", text)
    }

    private func list(_ names: [String]) -> String {
        if names.count == 1 { return names[0] }
        return "one of " + names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }

    private static func trimmed(_ text: String) -> String {
        var bytes = Array(text.utf8)
        while let last = bytes.last, [0x20, 0x09, 0x0A, 0x0D].contains(last) { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func indent(_ first: String, _ text: String) -> String {
        let rest = String(repeating: " ", count: first.count)
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .map { Self.trimmed(($0 == 0 ? first : rest) + $1) }
            .joined(separator: "\n")
    }

    // MARK: Frames

    private struct FrameKey: Hashable {
        let position: Position
        let text: String
    }

    private func write(_ frames: [TraceFrame], _ output: inout Output) {
        var seen: Set<FrameKey> = []
        var skipped: [TraceFrame] = []
        var isTruncated = false
        for frame in frames where !frame.text.isEmpty {
            if !showsTrace, output.count > 3 { isTruncated = true }
            guard !isTruncated || frame.isAlwaysShown else { continue }
            let key = FrameKey(position: frame.position, text: frame.text)
            if seen.contains(key) {
                skipped.append(frame)
                continue
            }
            seen.insert(key)
            writeSkipped(&skipped, &output)
            output.count += 1
            write(frame, &output)
        }
        writeSkipped(&skipped, &output)
        if isTruncated {
            output.text +=
                "\n(stack trace truncated; use '--show-trace' to show the full, detailed trace)\n"
        }
    }

    /// Frames met before: a few are shown again, many are counted.
    private func writeSkipped(_ skipped: inout [TraceFrame], _ output: inout Output) {
        if skipped.count > 5 {
            output.text += "\n(\(skipped.count) duplicate frames omitted)\n"
        } else {
            for frame in skipped { write(frame, &output) }
        }
        skipped.removeAll()
    }

    private func write(_ frame: TraceFrame, _ output: inout Output) {
        output.text += "\n… " + frame.text + "\n"
        if writePlace(frame.position, "  ", &output) { output.count += 1 }
    }

    // MARK: Places

    @discardableResult
    private func writePlace(_ position: Position, _ indentation: String, _ output: inout Output) -> Bool {
        guard let location = positions.location(position) else { return false }
        output.text += "\(indentation)at \(location):"
        guard let lines = positions.lines(around: position) else { return true }
        func number(_ number: Int) -> String {
            let text = String(number)
            return String(repeating: " ", count: max(0, 5 - text.count)) + text
        }
        if let before = lines.before { output.text += "\n \(number(location.line - 1))| \(before)" }
        output.text += "\n \(number(location.line))| \(lines.line)"
        output.text += "\n      |\(String(repeating: " ", count: location.column))^"
        if let after = lines.after { output.text += "\n \(number(location.line + 1))| \(after)" }
        output.text += "\n"
        return true
    }
}
