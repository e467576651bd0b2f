import Archive
import Kernel
import NixLocalStore
import NixStore

/// Archives that come over the network, unpacked.
enum Unpacking {
    /// Makes `target` of a Nix archive, compressed or not.
    static func archive(of file: String, named name: String, to target: String) throws {
        let source = try DecompressingSource(DescriptorSource(FileDescriptor.currentDirectory.open(file, .readOnly)))
        var reader = NARReader { count in
            try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = try source.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
        var unpacker = NARUnpacker(at: target)
        do { try reader.read(&unpacker) } catch let error as ArchiveError {
            throw BuildError(.failed, "unpacking '\(name)': \(error)")
        }
    }

    /// Unpacks a tar archive, compressed or not, into a directory that exists.
    static func tar(_ file: String, to target: String) throws {
        let here = FileDescriptor.currentDirectory
        var options = UnpackOptions()
        options.ownership = .fixed(uid: Credentials.effectiveUserID, gid: Credentials.effectiveGroupID)
        options.skipsDevices = true
        let directory = try here.open(target, [.readOnly, .directory])
        do {
            let source = try DecompressingSource(DescriptorSource(here.open(file, .readOnly)))
            _ = try TarUnpacker(into: directory, options: options).unpack(source)
        } catch let error as ArchiveError {
            throw BuildError(.failed, "unpacking '\(file)': \(error)")
        }
    }
}
