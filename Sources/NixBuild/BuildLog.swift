import Archive
import Kernel
import NixLocalStore
import NixStore

/// The log of one build: its file, and its last lines for the error.
final class BuildLog {
    private let file: FileDescriptor?
    private let sink: (any ByteSink)?
    private let limit: Int
    private var line: [UInt8] = []
    private(set) var lastLines: [[UInt8]] = []
    private(set) var size: UInt64 = 0
    private let onLine: ([UInt8]) -> Void

    /// The longest line that is kept whole.
    private static let lineLimit = 1 << 16

    init(
        of derivation: StorePath, in store: LocalStore, settings: BuildSettings, onLine: @escaping ([UInt8]) -> Void
    ) throws {
        limit = settings.logLines
        self.onLine = onLine
        guard settings.keepsLog else {
            (file, sink) = (nil, nil)
            return
        }
        let name = store.logFile(of: derivation) + (settings.compressesLog ? ".bz2" : "")
        let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")) ?? name.startIndex
        let here = FileDescriptor.currentDirectory
        try here.makeDirectories(String(name[..<slash]))
        let file = try here.open(name, [.writeOnly, .create, .truncate, .noFollow], mode: 0o644)
        self.file = file
        let plain = DescriptorSink(file, bufferSize: settings.compressesLog ? 64 << 10 : 1)
        sink = settings.compressesLog ? try CompressingSink(plain, .bzip2) : plain
    }

    func write(_ bytes: [UInt8]) throws {
        size += UInt64(bytes.count)
        try sink?.write(bytes)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\n"): endLine()
            case UInt8(ascii: "\r"): line.removeAll(keepingCapacity: true)
            default:
                line.append(byte)
                if line.count >= Self.lineLimit { endLine() }
            }
        }
    }

    private func endLine() {
        onLine(line)
        lastLines.append(line)
        if lastLines.count > limit { lastLines.removeFirst() }
        line.removeAll(keepingCapacity: true)
    }

    func finish() throws {
        if !line.isEmpty { endLine() }
        try sink?.finish()
        try file?.close()
    }
}
