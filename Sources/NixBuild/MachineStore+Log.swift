import Archive
import Kernel
import NixLocalStore
import NixStore

extension MachineStore {
    /// What was written while a derivation, or the object's deriver, was built, compressed or not; `nil` when no log is
    /// kept.
    public func expandedBuildLog(of path: StorePath) throws -> [UInt8]? {
        var derivation = path
        if !path.isDerivation {
            guard let deriver = try info(of: path)?.deriver else { return nil }
            derivation = deriver
        }
        for ending in ["", ".bz2"] {
            let file = logFile(of: derivation) + ending
            guard FileDescriptor.currentDirectory.exists(file) else { continue }
            do {
                let source = DescriptorSource(try FileDescriptor.currentDirectory.open(file, .readOnly))
                let text: any ByteSource =
                    ending.isEmpty ? source : try DecompressingSource(source, compression: .bzip2)
                return try text.readAll(limit: .max)
            } catch let error as ArchiveError {
                throw StoreError(.badArchive, "reading the build log '\(file)': \(error)")
            } catch let error as KernelError {
                throw StoreError(.system(error.code.rawValue), "reading the build log '\(file)': \(error)")
            }
        }
        return nil
    }
}
