import Kernel
import NixLocalStore
import NixStore

/// Takes what a builder has made into the store: canonical, scanned, checked, moved into place and registered at once.
struct OutputRegistration {
    let derivation: Derivation
    let path: StorePath
    let attributes: StructuredAttributes?
    let inputs: Set<StorePath>
    let store: LocalStore
    let settings: BuildSettings
    /// Whose the files are.
    let owner: UInt32?
    /// Where the builder has put an output.
    let place: (StorePath) -> String
    /// The build's temporary directory.
    let temporary: String
    let report: (BuildEvent) -> Void

    private var here: FileDescriptor { .currentDirectory }
    private var name: String { store.directory.print(path) }

    /// - Parameter outputs: by name.
    func run(_ outputs: [String: StorePath]) throws {
        let infos = try inspect(outputs)
        for (output, info) in infos.sorted(by: { $0.key < $1.key }) {
            try OutputChecks(of: output, derivation, attributes).check(info, outputs: infos, in: store)
        }
        switch settings.mode {
        case .check: try compare(infos)
        case .normal, .repair:
            for info in infos.values.sorted(by: { $0.path < $1.path }) { try move(info.path) }
            // What repairs must not become one with the damaged file that it replaces.
            if store.options.optimises, settings.mode == .normal {
                for info in infos.values { try store.linkEqualFiles(of: info.path) }
            }
            let known = try store.validPaths(among: infos.values.map(\.path))
            // All of them or none, and before anybody else sees one.
            try store.register(infos.values.filter { !known.contains($0.path) })
            for info in infos.values where known.contains(info.path) { try store.update(info) }
        }
    }

    private func inspect(_ outputs: [String: StorePath]) throws -> [String: PathInfo] {
        var metadata = CanonicalMetadata(owner: owner)
        for (output, object) in outputs.sorted(by: { $0.key < $1.key }) {
            let file = place(object)
            guard let status = try here.statusIfPresent(of: file) else {
                throw BuildError(
                    .failed,
                    "builder for '\(name)' failed to produce output path for output '\(output)' at "
                        + "'\(store.directory.print(object))'")
            }
            // Somebody else could change it later.
            if !status.isSymbolicLink, status.permissions & 0o022 != 0, status.userID != (owner ?? status.userID) {
                throw BuildError(
                    .failed,
                    "suspicious ownership or permission on '\(store.directory.print(object))' for output "
                        + "'\(output)'; rejecting this build output")
            }
            if let address = derivation.fixedOutput, address.method == .flat,
                !status.isRegular || status.permissions & 0o100 != 0
            {
                throw BuildError(
                    .failed,
                    "output path '\(store.directory.print(object))' should be a non-executable regular file since "
                        + "recursive hashing is not enabled (outputHashMode=flat)")
            }
            do { try metadata.apply(to: file) } catch let error as StoreError {
                throw BuildError(
                    .failed,
                    "output '\(output)' of '\(name)' cannot be in a store: "
                        + error.reason.replacing(file, with: store.directory.print(object)))
            }
        }
        var infos: [String: PathInfo] = [:]
        for (output, object) in outputs {
            let archive = try ScannedArchive(of: place(object), candidates: inputs.union(outputs.values))
            var info = PathInfo(
                path: object, narHash: archive.hash, narSize: archive.size, references: archive.references,
                deriver: path)
            info.isUltimate = true
            if let address = derivation.fixedOutput {
                try check(info, address)
                info.contentAddress =
                    "fixed:\(address.method.prefix)\(address.hash.text(.nix32, withAlgorithm: true))"
            }
            infos[output] = info
        }
        try refuseCycles(infos)
        return infos
    }

    private func check(_ info: PathInfo, _ address: ContentAddress) throws {
        let file = place(info.path)
        let found: Hash =
            switch address.method {
            case .flat: try Hash(address.hash.algorithm, contentsOf: file, in: DirectorySource())
            case .recursive:
                address.hash.algorithm == .sha256
                    ? info.narHash : try Hash(address.hash.algorithm, archiveOf: file, in: DirectorySource())
            }
        guard found == address.hash else {
            throw BuildError(
                .hashMismatch,
                "hash mismatch in fixed-output derivation '\(name)':\n         specified: "
                    + "\(address.hash.text(.sri))\n            got:    \(found.text(.sri))")
        }
        if let reference = info.references.min() {
            throw BuildError(
                .failed,
                "fixed-output derivations must not reference store paths: '\(name)' references "
                    + "\(info.references.count) distinct paths, e.g. '\(store.directory.print(reference))'")
        }
    }

    /// Outputs that need each other could not be deleted one by one.
    private func refuseCycles(_ infos: [String: PathInfo]) throws {
        let names = Dictionary(infos.map { ($0.value.path, $0.key) }) { first, _ in first }
        for (start, info) in infos.sorted(by: { $0.key < $1.key }) {
            var seen: Set<StorePath> = []
            var pending = info.references.filter { $0 != info.path }.map { ($0, start) }
            while let (reference, from) = pending.popLast() {
                guard let output = names[reference], let next = infos[output], seen.insert(reference).inserted else {
                    continue
                }
                if reference == info.path {
                    throw BuildError(
                        .failed,
                        "cycle detected in build of '\(name)' in the references of output '\(from)' from output "
                            + "'\(start)'")
                }
                pending += next.references.filter { $0 != reference }.map { ($0, output) }
            }
        }
    }

    // MARK: Into place

    private func move(_ object: StorePath) throws {
        let target = store.layout.file(object)
        // Without a sandbox it was made there.
        guard place(object) != target else { return }
        let isThere = try here.statusIfPresent(of: target) != nil
        guard isThere, try store.isValid(object) else {
            if isThere { try here.removeTree(target) }
            return try Self.rename(place(object), to: target)
        }
        // A damaged object that is made again is there at every moment.
        let aside = target + ".repair"
        try here.removeTree(aside)
        try Self.rename(place(object), to: aside)
        try here.rename(aside, to: target, flags: .exchange)
        try here.removeTree(aside)
    }

    /// Renames to another directory, for which a directory must be writable to its owner.
    static func rename(_ source: String, to target: String) throws {
        let here = FileDescriptor.currentDirectory
        let status = try here.status(of: source)
        let mustUnlock = status.isDirectory && status.permissions & 0o200 == 0 && Credentials.effectiveUserID != 0
        if mustUnlock { try here.changeMode(of: source, to: status.permissions | 0o200) }
        try here.rename(source, to: target)
        if mustUnlock {
            try here.changeMode(of: target, to: status.permissions)
            try here.setTimes(of: target, accessed: status.accessed, modified: status.modified)
        }
    }

    // MARK: Once more

    private func compare(_ infos: [String: PathInfo]) throws {
        for info in infos.values.sorted(by: { $0.path < $1.path }) {
            let known = try store.requireInfo(of: info.path)
            if known.narHash == info.narHash {
                // Here it is known now, too, that this derivation makes it.
                if !known.isUltimate {
                    var known = known
                    known.isUltimate = true
                    try store.update(known)
                }
                continue
            }
            var text =
                "derivation '\(name)' may not be deterministic: output "
                + "'\(store.directory.print(info.path))' differs"
            if settings.keepsFailed || settings.hooks.keepsDifferent {
                let kept = store.layout.file(info.path) + ".check"
                try here.removeTree(kept)
                try Self.rename(place(info.path), to: kept)
                text += " from '\(store.directory.print(info.path)).check'"
                settings.hooks.differ(
                    store.layout.file(info.path), kept, derivation: name, temporary: temporary, report: report)
            }
            throw BuildError(.notDeterministic, text)
        }
    }
}
