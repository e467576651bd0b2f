import Archive
import Foundation
import Glibc
import Kernel
import Testing

/// A directory that goes when the test does.
final class TemporaryDirectory: Sendable {
    let path: String
    let descriptor: FileDescriptor

    init() throws {
        path = NSTemporaryDirectory() + "dhow-archive-\(UUID().uuidString)"
        try FileDescriptor.currentDirectory.makeDirectory(path)
        descriptor = try FileDescriptor.open(path, [.readOnly, .directory])
    }

    deinit { try? FileDescriptor.currentDirectory.removeTree(path) }

    func make(_ name: String) throws -> FileDescriptor {
        try descriptor.makeDirectory(name)
        return try descriptor.open(name, [.readOnly, .directory])
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    func read(_ name: String) -> String? {
        try? String(decoding: Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")), as: UTF8.self)
    }

    func status(_ name: String) -> FileStatus? { try? descriptor.status(of: name) }

    /// Every path beneath, sorted, directories with a slash.
    func listing(_ name: String = ".") throws -> [String] {
        try run("/usr/bin/find", [".", "-mindepth", "1", "-printf", "%P%y\n"], in: "\(path)/\(name)")
            .text.split(separator: "\n").map { $0.hasSuffix("d") ? "\($0.dropLast())/" : String($0.dropLast()) }
            .sorted()
    }
}

struct Output {
    var bytes: [UInt8]
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

struct CommandFailure: Error, CustomStringConvertible { var description: String }

/// Runs a program, and throws what it said if it failed.
@discardableResult
func run(
    _ program: String, _ arguments: [String], in directory: String? = nil, input: [UInt8]? = nil
) throws -> Output {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C.UTF-8", "TZ": "UTC"]) { $1 }
    let files = try TemporaryDirectory()
    for name in ["in", "out", "err"] { try files.write(name, "") }
    if let input { try Data(input).write(to: URL(fileURLWithPath: "\(files.path)/in")) }
    process.standardInput = FileHandle(forReadingAtPath: "\(files.path)/in")
    process.standardOutput = FileHandle(forWritingAtPath: "\(files.path)/out")
    process.standardError = FileHandle(forWritingAtPath: "\(files.path)/err")
    try process.run()
    process.waitUntilExit()
    if process.terminationStatus != 0 {
        throw CommandFailure(
            description: "\(program) \(arguments): \(files.read("err") ?? "") \(files.read("out")?.suffix(500) ?? "")")
    }
    return Output(bytes: Array(try Data(contentsOf: URL(fileURLWithPath: "\(files.path)/out"))))
}

func shell(_ script: String, in directory: String? = nil, input: [UInt8]? = nil) throws -> Output {
    try run("/bin/bash", ["-euc", script], in: directory, input: input)
}

/// Runs a Python script that finds `tarfile`, `io` and `sys` imported and writes an archive to standard output.
func python(_ script: String, in directory: String? = nil, input: [UInt8]? = nil) throws -> [UInt8] {
    let prelude = "import tarfile, io, sys\n"
    return try run("/usr/bin/env", ["python3", "-c", prelude + script], in: directory, input: input).bytes
}

/// An archive of the given entries.
func tar(_ entries: [(TarEntry, [UInt8])], options: TarWriteOptions = .init()) throws -> [UInt8] {
    let sink = MemorySink()
    let writer = TarWriter(sink, options: options)
    for (entry, content) in entries { try writer.add(entry, content: content) }
    try writer.finish()
    return sink.bytes
}

func file(_ path: String, _ content: String = "", mode: UInt32 = 0o644) -> (TarEntry, [UInt8]) {
    (TarEntry(path: path, kind: .file, mode: mode), Array(content.utf8))
}

func directory(_ path: String, mode: UInt32 = 0o755) -> (TarEntry, [UInt8]) {
    (TarEntry(path: path, kind: .directory, mode: mode), [])
}

func link(_ path: String, to target: String, _ kind: TarEntry.Kind = .symbolicLink) -> (TarEntry, [UInt8]) {
    var entry = TarEntry(path: path, kind: kind)
    entry.linkTarget = Array(target.utf8)
    return (entry, [])
}

/// All entries of an archive with their contents.
func entries(_ bytes: [UInt8], endMarkerRequired: Bool = true) throws -> [(entry: TarEntry, content: [UInt8])] {
    let reader = TarReader(MemorySource(bytes), endMarkerRequired: endMarkerRequired)
    var all: [(TarEntry, [UInt8])] = []
    while let entry = try reader.next() { all.append((entry, try reader.readContent())) }
    return all
}

@discardableResult
func unpack(_ bytes: [UInt8], into directory: FileDescriptor, _ options: UnpackOptions = .init()) throws -> UnpackResult
{
    try TarUnpacker(into: directory, options: options).unpack(MemorySource(bytes))
}

func code(_ error: any Error) -> ArchiveError.Code? { (error as? ArchiveError)?.code }

/// Numbers that are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Hands out a byte array in pieces of odd sizes, to meet every boundary.
func dribble(_ bytes: [UInt8], _ size: Int) -> any ByteSource {
    var position = 0
    return ClosureSource { buffer in
        let count = min(size, buffer.count, bytes.count - position)
        buffer.copyBytes(from: bytes[position..<position + count])
        position += count
        return count
    }
}
