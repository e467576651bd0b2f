import Glibc

/// Bytes that name a file: a `String`, or raw bytes where names come from outside and need not be UTF-8.
public protocol PathName: Sendable {
    /// Calls `body` with the name as a C string, or with `nil` if it holds a NUL byte and so cannot name anything.
    func withPath<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result
    /// For messages only: bytes that are not UTF-8 are replaced.
    var displayName: String { get }
}

extension String: PathName {
    public func withPath<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result {
        if utf8.contains(0) { return body(nil) }
        return withCString { body($0) }
    }
    public var displayName: String { self }
}

extension Array: PathName where Element == UInt8 {
    public func withPath<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result {
        if contains(0) { return body(nil) }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { buffer in
            guard let start = buffer.baseAddress else { return body(nil) }
            for (index, byte) in self.enumerated() { start[index] = CChar(bitPattern: byte) }
            start[count] = 0
            return body(start)
        }
    }
    public var displayName: String { String(decoding: self, as: UTF8.self) }
}

/// As `call`, with a path, which is also the subject. A name with a NUL byte in it is an invalid argument.
@inline(__always) @discardableResult
func call(
    _ operation: @autoclosure () -> String, path: some PathName, _ body: (UnsafePointer<CChar>) -> Int
) throws(KernelError) -> Int {
    try call(operation(), path.displayName) {
        path.withPath { path in path.map(body) ?? -Int(EINVAL) }
    }
}

/// As `call`, with two paths.
@inline(__always) @discardableResult
func call(
    _ operation: @autoclosure () -> String, path: some PathName, to other: some PathName,
    _ body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Int
) throws(KernelError) -> Int {
    try call(operation(), "\(path.displayName) to \(other.displayName)") {
        path.withPath { path in
            guard let path else { return -Int(EINVAL) }
            return other.withPath { other in other.map { body(path, $0) } ?? -Int(EINVAL) }
        }
    }
}

/// The path of what `path` names without links, `.` and `..`, in the calling process's view.
public func canonicalPath(_ path: String) throws(KernelError) -> String {
    guard let resolved = path.withPath({ $0.flatMap { realpath($0, nil) } }) else {
        throw KernelError(ErrorNumber(rawValue: path.utf8.contains(0) ? EINVAL : errno), "resolve", path)
    }
    defer { free(resolved) }
    return String(cString: resolved)
}
