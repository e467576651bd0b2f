import Glibc
import Kernel
import NixStore

extension LocalStore {
    public func add(_ info: PathInfo, checkSignatures: Bool, archive: (Int) throws -> [UInt8]) throws {
        try add(info, checkSignatures: checkSignatures, repair: false, archive: archive)
    }

    /// As `Store.add`, but an object that is valid already is made again when `repair` is true.
    public func add(
        _ info: PathInfo, checkSignatures: Bool, repair: Bool, archive: (Int) throws -> [UInt8]
    ) throws {
        try requireWritable()
        if checkSignatures, !isAcceptable(info) {
            throw StoreError(
                .notSigned,
                "cannot add path '\(directory.print(info.path))' because it lacks a valid signature; add its signer's "
                    + "key to 'trusted-public-keys'")
        }
        try making(info.path, repair: repair) { file in
            let size = try unpack(info, archive, at: file)
            guard size == info.narSize else {
                throw StoreError(
                    .mismatch,
                    "size mismatch importing path '\(directory.print(info.path))'; specified: \(info.narSize), "
                        + "got: \(size)")
            }
            try checkContent(of: info, in: file)
            var metadata = CanonicalMetadata()
            try metadata.apply(to: file)
            return info
        }
    }

    /// - Returns: the archive's length.
    private func unpack(_ info: PathInfo, _ archive: (Int) throws -> [UInt8], at file: String) throws -> UInt64 {
        var hash = HashStream(.sha256)
        var size: UInt64 = 0
        var unpacker = NARUnpacker(at: file)
        // Both are only used while this call runs.
        let excess = try withoutActuallyEscaping(archive) { archive in
            var reader = NARReader { count in
                let bytes = try archive(count)
                hash.update(bytes)
                size += UInt64(bytes.count)
                return bytes
            }
            try reader.read(&unpacker)
            return reader.excess
        }
        guard excess == 0 else {
            throw StoreError(
                .badArchive, "the archive of '\(directory.print(info.path))' goes on for \(excess) bytes after its end")
        }
        let found = hash.finish()
        guard found == info.narHash else {
            throw StoreError(
                .mismatch,
                "hash mismatch importing path '\(directory.print(info.path))';\n  specified: "
                    + "\(info.narHash.text(.nix32, withAlgorithm: true))\n  got:       "
                    + found.text(.nix32, withAlgorithm: true))
        }
        return size
    }

    /// Whether an object may come in: its own content gives its path, or a trusted key has signed it.
    private func isAcceptable(_ info: PathInfo) -> Bool {
        isContentAddressed(info) || options.isSigned?(info, directory) == true
    }

    func requireWritable() throws {
        guard options.isWritable else {
            throw StoreError(.unusableStore, "the store '\(layout.objects)' is open for reading only")
        }
    }

    /// Makes the files of `path` under its lock, unless it is valid, and registers what `body` says of it.
    ///
    /// Whatever stands there without being valid is somebody's half-done work, and is removed first; so is what a
    /// failing `body` leaves.
    ///
    /// - Parameter derivation: what the object is, if it is a derivation that need not be read back.
    func making(
        _ path: StorePath, repair: Bool = false, derivation: Derivation? = nil, _ body: (String) throws -> PathInfo
    ) throws {
        try addTemporaryRoot(path)
        if !repair, try isValid(path) { return }
        let locks = try lock([path])
        try withExtendedLifetime(locks) {
            let isThere = try isValid(path)
            if isThere, !repair { return }
            let file = layout.file(path)
            let here = FileDescriptor.currentDirectory
            do {
                if !isThere { try here.removeTree(file) }
                // A valid object that is made again stays until the new one is whole. The new one's name begins with
                // its hash, which keeps a collector away.
                let target = isThere ? file + ".repair" : file
                if isThere { try here.removeTree(target) }
                do {
                    let info = try body(target)
                    if isThere { try exchange(target, with: file) }
                    // What repairs must not become one with the damaged file that it replaces.
                    if options.optimises, !repair { try linkEqualFiles(of: path) }
                    try register([info], derivations: derivation.map { [path: $0] } ?? [:])
                } catch {
                    try? here.removeTree(target)
                    throw error
                }
            } catch let error as KernelError {
                let isFull = error.code == .noSpace || error.code == .quotaExceeded
                throw StoreError(
                    .system(error.code.rawValue),
                    "adding '\(directory.print(path))' to the store: \(error)"
                        + (isFull ? "; make room with 'dhow nix gc'" : ""))
            }
        }
    }

    private func exchange(_ new: String, with old: String) throws {
        let here = FileDescriptor.currentDirectory
        if try here.statusIfPresent(of: old) != nil {
            try here.rename(new, to: old, flags: .exchange)
            try here.removeTree(new)
        } else {
            try here.rename(new, to: old)
        }
    }

    // MARK: Registering

    /// Makes objects valid whose files are in place: all of them, or none. Of derivations, the outputs are noted too.
    /// Those without a time of registration get the present.
    /// - Throws: `StoreError.notValid` when one refers to something that is neither valid nor among them,
    ///   `.badDerivation` when a derivation's outputs are not where they should be.
    public func register(_ infos: [PathInfo]) throws { try register(infos, derivations: [:]) }

    /// - Parameter derivations: those among them that are known already.
    private func register(_ infos: [PathInfo], derivations: [StorePath: Derivation]) throws {
        try requireWritable()
        var outputs: [StorePath: [String: StorePath]] = [:]
        for info in infos where info.path.isDerivation {
            let derivation = try derivations[info.path] ?? derivation(at: info.path)
            for name in derivation.outputs.keys {
                guard let path = try derivation.path(of: name, in: directory) else { continue }
                outputs[info.path, default: [:]][name] = path
            }
        }
        let now = Int64(time(nil))
        try database.register(
            infos.map { info in
                var info = info
                if info.registrationTime == 0 { info.registrationTime = now }
                return info
            }, outputs: outputs)
    }

    /// Replaces what is known of a valid object: hash, size, signatures, content address.
    public func update(_ info: PathInfo) throws { try database.replace(info) }

    /// Adds signatures to a valid object.
    public func addSignatures(_ signatures: [String], to path: StorePath) throws {
        var info = try requireInfo(of: path)
        for signature in signatures where !info.signatures.contains(signature) { info.signatures.append(signature) }
        try database.replace(info)
    }
}
