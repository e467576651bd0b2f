import Glibc

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// Set once, before the driver runs, and read by its only thread.
nonisolated(unsafe) private var test: ([UInt8]) -> Void = { _ in }

/// Hands the program over to libFuzzer, which calls `body` with one input after another.
///
/// A finding is what ends the process: a trap, an abort, `finding`; or what passes the driver's limits of time and
/// memory. Errors that `body` catches are how bad input shall end.
public func fuzz(_ body: @escaping ([UInt8]) -> Void) -> Never {
    test = body
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    exit(
        runDriver(&count, &arguments) { bytes, count in
            test(Array(UnsafeBufferPointer(start: bytes, count: count)))
            return 0
        })
}

/// Ends the process because a promise is broken.
public func finding(_ what: String) -> Never {
    let line = Array("finding: \(what)\n".utf8)
    _ = write(2, line, line.count)
    abort()
}

/// Takes decisions off the front of an input; what is left is the text.
public struct Input {
    public private(set) var rest: ArraySlice<UInt8>

    public init(_ bytes: [UInt8]) { rest = bytes[...] }

    public var isEmpty: Bool { rest.isEmpty }

    /// The next byte; 0 when there is none.
    public mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// The next `count` bytes, or as many as there are.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// Everything up to a newline, which goes too.
    public mutating func line() -> String {
        let line = rest.prefix { $0 != 0x0A }
        rest = rest.dropFirst(line.count + 1)
        return String(decoding: line, as: UTF8.self)
    }

    public var text: String { String(decoding: rest, as: UTF8.self) }
}

/// An empty directory of this process' own, in memory where there is `/dev/shm`; the driver's way out is `_exit`, so
/// `make fuzz` removes it.
public func scratchDirectory() -> String {
    let parent = getenv("FUZZ_SCRATCH").map { String(cString: $0) } ?? "/dev/shm"
    let path = "\(access(parent, W_OK) == 0 ? parent : "/tmp")/dhow-fuzz-\(getpid())"
    guard mkdir(path, 0o700) == 0 else { finding("cannot make \(path): \(String(cString: strerror(errno)))") }
    return path
}
