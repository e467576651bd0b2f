import CSeccomp
import JSON
import Kernel
import OCI

/// Compiled profiles on disk, so that a start does not compile what an earlier one did.
///
/// An entry holds the text that it was compiled from and is used only when that is the same, byte by byte: its name,
/// a hash, need not be free of collisions.
public struct SeccompCache: Sendable {
    private let directory: String

    /// - Parameter directory: made when missing; only the owner may write there.
    public init(directory: String) { self.directory = directory }

    /// The program for a profile, compiled or remembered. A cache that cannot be used is none, and no error.
    public func program(for profile: LinuxSeccomp) throws(RuntimeError) -> SeccompProgram {
        var flags = Seccomp.Flags()
        for name in profile.flags ?? [] {
            guard let flag = Seccomp.Flags.named.first(where: { $0.name == name })?.flag else {
                throw RuntimeError(.invalidSpecification, "seccomp: unknown flag \(name)")
            }
            flags.insert(flag)
        }
        let notifies = (profile.syscalls ?? []).contains { $0.action == "SCMP_ACT_NOTIFY" }
        if notifies {
            guard profile.listenerPath?.isEmpty == false else {
                throw RuntimeError(.invalidSpecification, "seccomp: SCMP_ACT_NOTIFY needs a listenerPath")
            }
            flags.insert(.newListener)
            // The kernel refuses both, unless told to report failures of the synchronization in another way.
            if flags.contains(.threadSynchronize) { flags.insert(.threadSynchronizeNoSuchProcess) }
        }
        return SeccompProgram(
            instructions: try instructions(for: profile), flags: flags,
            listenerPath: notifies ? profile.listenerPath : nil,
            listenerMetadata: profile.listenerMetadata)
    }

    private func instructions(for profile: LinuxSeccomp) throws(RuntimeError) -> [UInt8] {
        var key = profile
        key.listenerPath = nil
        key.listenerMetadata = nil
        key.flags = nil
        let version = seccomp_version().pointee
        let text = Array("1 \(version.major).\(version.minor).\(version.micro) \(key.json.serialized())\n".utf8)
        let path = "\(directory)/\(String(Self.hash(text), radix: 16))"
        if let entry = try? FileDescriptor.currentDirectory.readFile(path), entry.starts(with: text),
            (entry.count - text.count) % 8 == 0, entry.count > text.count
        {
            return Array(entry[text.count...])
        }
        let program = try SeccompCompiler.compile(profile)
        try? FileDescriptor.currentDirectory.makeDirectories(directory, mode: 0o700)
        try? FileDescriptor.currentDirectory.replaceFile(path, with: text + program, mode: 0o600)
        return program
    }

    /// FNV-1a with 64 bits.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
