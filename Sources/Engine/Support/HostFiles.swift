import Kernel

/// Small files of the host.
enum HostFiles {
    static func text(_ path: String) -> String? {
        guard let file = try? FileDescriptor.open(path, .readOnly), let bytes = try? file.readAll(limit: 8 << 20) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The first line, without white space at its ends.
    static func line(_ path: String) -> String? {
        text(path).map { text in
            let line = text.split(separator: "\n", omittingEmptySubsequences: false).first ?? ""
            return trim(line)
        }
    }

    static func trim(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }

    static func exists(_ path: String) -> Bool { FileDescriptor.currentDirectory.exists(path) }

    /// Replaces a small file in one step.
    static func write(_ path: String, _ text: String, mode: UInt32 = 0o644) throws(KernelError) {
        let directory = FileDescriptor.currentDirectory
        let temporary = path + ".new"
        try directory.unlinkIfPresent(temporary)
        let file = try FileDescriptor.open(temporary, [.writeOnly, .create, .exclusive], mode: mode)
        try file.changeMode(mode)
        try file.writeAll(text)
        try file.close()
        try directory.rename(temporary, to: path)
    }
}

extension HostFiles {
    /// Writes a small file over its old content, keeping the file itself, unless the content is the same.
    static func replace(_ path: String, _ text: String) throws(KernelError) {
        if let old = self.text(path), old == text { return }
        let file = try FileDescriptor.open(path, [.writeOnly, .create, .truncate, .noFollow], mode: 0o644)
        try file.changeMode(0o644)
        try file.writeAll(text)
    }
}
