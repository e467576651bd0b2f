import Kernel

/// What went wrong in the data root: what was tried, on what, why, and what to do.
public struct StorageError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// No such image, layer, volume, container layer or path.
        case notFound
        /// An ID prefix or name that fits several things.
        case ambiguous
        /// A name in use, or a thing that others still use.
        case conflict
        /// Input that breaks its format: an archive, a document, a name.
        case invalidInput
        /// Bytes that are not those that their digest promises.
        case digestMismatch
        /// More bytes or inodes than `LayerLimits` allow.
        case limitExceeded
        /// The image is for another operating system or architecture.
        case platformMismatch
        /// The disk or the quota is full.
        case noSpace
        /// The data root was written by another version, is used by another daemon, or its file system cannot serve.
        case unusableRoot
        /// Not possible with this driver or kernel.
        case notSupported
        /// The kernel or the database refused.
        case system
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// A failed system call; a full disk keeps its own code.
    public init(_ error: KernelError, while doing: String = "") {
        let prefix = doing.isEmpty ? "" : "\(doing): "
        switch error.code {
        case .noSpace, .quotaExceeded: self.init(.noSpace, "\(prefix)no space left on the disk (\(error))")
        default: self.init(.system, "\(prefix)\(error)")
        }
    }

    public var description: String { message }
}
