import Archive
import GRDB
import JSON
import Kernel
import OCI

extension StorageError {
    /// Any error of the modules below, as one of this module.
    init(wrapping error: any Error, while doing: String) {
        let prefix = doing.isEmpty ? "" : "\(doing): "
        switch error {
        case let error as StorageError: self = error
        case let error as KernelError: self.init(error, while: doing)
        case let error as ArchiveError:
            switch error.code {
            case .limitExceeded: self.init(.limitExceeded, "\(prefix)\(error)")
            case .system(.noSpace), .system(.quotaExceeded): self.init(.noSpace, "\(prefix)\(error)")
            case .system: self.init(.system, "\(prefix)\(error)")
            case .unsupported: self.init(.notSupported, "\(prefix)\(error)")
            default: self.init(.invalidInput, "\(prefix)\(error)")
            }
        case let error as JSONError: self.init(.invalidInput, "\(prefix)\(error)")
        case let error as OCIError: self.init(.invalidInput, error.message)
        case let error as DatabaseError where error.resultCode == .SQLITE_FULL:
            self.init(.noSpace, "\(prefix)no space left on the disk for the database")
        default: self.init(.system, "\(prefix)\(error)")
        }
    }
}

/// Runs `body`, turning whatever it throws into a `StorageError`.
func storage<Result>(
    _ doing: @autoclosure () -> String = "", _ body: () throws -> Result
) throws(StorageError) -> Result {
    do { return try body() } catch { throw StorageError(wrapping: error, while: doing()) }
}
