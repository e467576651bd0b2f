import Glibc

/// An error number of the kernel (`errno`).
public struct ErrorNumber: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let notPermitted = Self(rawValue: EPERM)
    public static let notFound = Self(rawValue: ENOENT)
    public static let noSuchProcess = Self(rawValue: ESRCH)
    public static let interrupted = Self(rawValue: EINTR)
    public static let inputOutput = Self(rawValue: EIO)
    public static let noDevice = Self(rawValue: ENODEV)
    public static let notExecutable = Self(rawValue: ENOEXEC)
    public static let badDescriptor = Self(rawValue: EBADF)
    public static let noChild = Self(rawValue: ECHILD)
    public static let wouldBlock = Self(rawValue: EAGAIN)
    public static let noMemory = Self(rawValue: ENOMEM)
    public static let accessDenied = Self(rawValue: EACCES)
    public static let busy = Self(rawValue: EBUSY)
    public static let exists = Self(rawValue: EEXIST)
    public static let crossDevice = Self(rawValue: EXDEV)
    public static let notDirectory = Self(rawValue: ENOTDIR)
    public static let isDirectory = Self(rawValue: EISDIR)
    public static let invalidArgument = Self(rawValue: EINVAL)
    public static let notTerminal = Self(rawValue: ENOTTY)
    public static let noSpace = Self(rawValue: ENOSPC)
    public static let readOnly = Self(rawValue: EROFS)
    public static let brokenPipe = Self(rawValue: EPIPE)
    public static let outOfRange = Self(rawValue: ERANGE)
    public static let nameTooLong = Self(rawValue: ENAMETOOLONG)
    public static let notImplemented = Self(rawValue: ENOSYS)
    public static let notEmpty = Self(rawValue: ENOTEMPTY)
    public static let symlinkLoop = Self(rawValue: ELOOP)
    public static let noData = Self(rawValue: ENODATA)
    public static let notSupported = Self(rawValue: EOPNOTSUPP)
    public static let connectionRefused = Self(rawValue: ECONNREFUSED)
    public static let connectionReset = Self(rawValue: ECONNRESET)
    public static let timedOut = Self(rawValue: ETIMEDOUT)
    public static let quotaExceeded = Self(rawValue: EDQUOT)
    public static let tooManyLinks = Self(rawValue: EMLINK)
    public static let tooBig = Self(rawValue: E2BIG)
    public static let fileTooLarge = Self(rawValue: EFBIG)
    public static let noSuchDeviceOrAddress = Self(rawValue: ENXIO)
    public static let textFileBusy = Self(rawValue: ETXTBSY)

    /// The kernel's name, such as `ENOENT`.
    public var name: String {
        guard let name = strerrorname(rawValue) else { return "errno \(rawValue)" }
        return name
    }

    /// The C library's words, beginning in lower case as Go's programs print them: "no such file or directory". Docker's
    /// clients tell the exit codes 126 and 127 by them.
    public var description: String {
        var buffer = [CChar](repeating: 0, count: 256)
        return buffer.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, strerror_r(rawValue, start, buffer.count) == 0 else {
                return "error \(rawValue)"
            }
            let text = String(cString: start)
            // "RPC struct is bad" keeps its capitals.
            if text.dropFirst().first?.isUppercase == true { return text }
            return text.prefix(1).lowercased() + text.dropFirst()
        }
    }

    /// The number behind a name such as `EPERM`, for documents that spell errors out.
    public init?(name: String) {
        guard let number = errorNames.first(where: { $0.value == name })?.key else { return nil }
        self.rawValue = number
    }
}

/// A system call that failed: what was tried, on what, and the kernel's answer.
public struct KernelError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was tried, as the words after "cannot": `open`, `mount proc on`.
    public var operation: String
    /// On what: usually a path. May be empty.
    public var subject: String
    public var code: ErrorNumber
    /// What to add to the kernel's words where they mislead. May be empty.
    public var advice: String

    public init(_ code: ErrorNumber, _ operation: String, _ subject: String = "", advice: String = "") {
        self.code = code
        self.operation = operation
        self.subject = subject
        self.advice = advice
    }

    public var description: String {
        let object = subject.isEmpty ? "" : " \(subject)"
        let more = advice.isEmpty ? "" : "; \(advice)"
        return "cannot \(operation)\(object): \(code)\(more)"
    }
}

/// Turns the result of a `ck_` function into a value or an error; a call that a signal interrupted is repeated.
@inline(__always) @discardableResult
func call(
    _ operation: @autoclosure () -> String, _ subject: @autoclosure () -> String = "", _ body: () -> Int
) throws(KernelError) -> Int {
    while true {
        let result = body()
        if result >= 0 { return result }
        if result == -Int(EINTR) { continue }
        throw KernelError(ErrorNumber(rawValue: Int32(truncatingIfNeeded: -result)), operation(), subject())
    }
}

private func strerrorname(_ number: Int32) -> String? { errorNames[number] }

private let errorNames: [Int32: String] = [
    EPERM: "EPERM", ENOENT: "ENOENT", ESRCH: "ESRCH", EINTR: "EINTR", EIO: "EIO", ENXIO: "ENXIO", E2BIG: "E2BIG",
    ENOEXEC: "ENOEXEC", EBADF: "EBADF", ECHILD: "ECHILD", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM", EACCES: "EACCES",
    EFAULT: "EFAULT", ENOTBLK: "ENOTBLK", EBUSY: "EBUSY", EEXIST: "EEXIST", EXDEV: "EXDEV", ENODEV: "ENODEV",
    ENOTDIR: "ENOTDIR", EISDIR: "EISDIR", EINVAL: "EINVAL", ENFILE: "ENFILE", EMFILE: "EMFILE", ENOTTY: "ENOTTY",
    ETXTBSY: "ETXTBSY", EFBIG: "EFBIG", ENOSPC: "ENOSPC", ESPIPE: "ESPIPE", EROFS: "EROFS", EMLINK: "EMLINK",
    EPIPE: "EPIPE", EDOM: "EDOM", ERANGE: "ERANGE", EDEADLK: "EDEADLK", ENAMETOOLONG: "ENAMETOOLONG",
    ENOLCK: "ENOLCK", ENOSYS: "ENOSYS", ENOTEMPTY: "ENOTEMPTY", ELOOP: "ELOOP", ENODATA: "ENODATA",
    EPROTO: "EPROTO", EBADMSG: "EBADMSG", EOVERFLOW: "EOVERFLOW", EILSEQ: "EILSEQ", EUSERS: "EUSERS",
    ENOTSOCK: "ENOTSOCK", EDESTADDRREQ: "EDESTADDRREQ", EMSGSIZE: "EMSGSIZE", EPROTOTYPE: "EPROTOTYPE",
    ENOPROTOOPT: "ENOPROTOOPT", EPROTONOSUPPORT: "EPROTONOSUPPORT", ESOCKTNOSUPPORT: "ESOCKTNOSUPPORT",
    EOPNOTSUPP: "EOPNOTSUPP", EAFNOSUPPORT: "EAFNOSUPPORT", EADDRINUSE: "EADDRINUSE",
    EADDRNOTAVAIL: "EADDRNOTAVAIL", ENETDOWN: "ENETDOWN", ENETUNREACH: "ENETUNREACH", ECONNABORTED: "ECONNABORTED",
    ECONNRESET: "ECONNRESET", ENOBUFS: "ENOBUFS", EISCONN: "EISCONN", ENOTCONN: "ENOTCONN", ETIMEDOUT: "ETIMEDOUT",
    ECONNREFUSED: "ECONNREFUSED", EHOSTDOWN: "EHOSTDOWN", EHOSTUNREACH: "EHOSTUNREACH", EALREADY: "EALREADY",
    EINPROGRESS: "EINPROGRESS", ESTALE: "ESTALE", EDQUOT: "EDQUOT", ENOMEDIUM: "ENOMEDIUM", ECANCELED: "ECANCELED",
    ENOKEY: "ENOKEY", EKEYEXPIRED: "EKEYEXPIRED", EKEYREVOKED: "EKEYREVOKED", EKEYREJECTED: "EKEYREJECTED",
]
