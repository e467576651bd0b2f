import Kernel
import NixStore

extension LocalStore {
    /// Where a derivation's build log is, without the ending of its compression.
    public func logFile(of derivation: StorePath) -> String {
        let name = derivation.baseName
        return "\(layout.logs)/drvs/\(name.prefix(2))/\(name.dropFirst(2))"
    }

    /// What was written while a derivation, or the object's deriver, was built; `nil` when no log is kept.
    /// - Returns: the text as it is, of logs that are not compressed.
    public func buildLog(of path: StorePath) throws -> [UInt8]? {
        var derivation = path
        if !path.isDerivation {
            guard let deriver = try info(of: path)?.deriver else { return nil }
            derivation = deriver
        }
        let file = logFile(of: derivation)
        do throws(KernelError) {
            guard FileDescriptor.currentDirectory.exists(file) else { return nil }
            return try FileDescriptor.currentDirectory.readFile(file, limit: .max)
        } catch { throw StoreError(.system(error.code.rawValue), "reading the build log '\(file)': \(error.code)") }
    }
}
