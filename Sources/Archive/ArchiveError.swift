import Kernel

/// Why an archive could not be read, written, unpacked or compared.
public struct ArchiveError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The input ends too early.
        case truncated
        /// The input breaks its format, or a checksum does not match.
        case corrupt
        /// The input is well formed but asks for something that this module does not do.
        case unsupported
        /// An entry's name or link would lead outside the target directory.
        case breakout
        /// A configured limit on bytes, entries or expansion was passed.
        case limitExceeded
        /// The system refused; the number says why.
        case system(ErrorNumber)
    }

    public var code: Code
    /// A whole sentence fragment without a full stop: what was tried, on what, why it failed.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// A failed system call. `result` is the negative error number that the `ck_` functions return.
    init(_ operation: String, _ path: some PathName, result: Int) {
        let number = ErrorNumber(rawValue: Int32(truncatingIfNeeded: -result))
        self.init(.system(number), "cannot \(operation) \"\(path.displayName)\": \(number)")
    }

    public var description: String { message }
}

/// Runs `body` with the system's errors turned into this module's.
func asArchiveError<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as KernelError {
        throw ArchiveError(.system(error.code), error.description)
    }
}
