import EngineModel
import Kernel

/// Decides what is mounted where in a new container, from all the ways in which that can be said.
///
/// The later of these takes a place from the earlier: volumes of other containers, `-v`, `--mount`, the image's volumes
/// (only where nothing else is). Nothing is made here.
package struct MountPlan {
    package private(set) var mounts: [ContainerMount] = []

    /// - Parameter lookUp: finds the container of a `--volumes-from`.
    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    package init(
        _ request: ContainerCreateRequest, lookUp: (String) throws(EngineError) -> ContainerRecord
    ) throws(EngineError) {
        let host = request.hostConfig ?? HostConfig()
        for text in host.volumesFrom ?? [] { try takeOver(text, lookUp) }
        var places: Set<String> = []
        for text in host.binds ?? [] {
            let mount = try Self.mount(BindSpecification(text), driver: host.volumeDriver)
            guard places.insert(mount.destination).inserted || host.tmpfs?[mount.destination] != nil else {
                throw .invalid("Duplicate mount point: \(mount.destination)")
            }
            place(mount)
        }
        for mount in host.mounts ?? [] {
            let mount = try Self.mount(mount)
            guard places.insert(mount.destination).inserted else {
                throw .invalid("Duplicate mount point: \(mount.destination)")
            }
            place(mount)
        }
        for (path, options) in (host.tmpfs ?? [:]).sorted(by: { $0.key < $1.key }) {
            try Self.validateTmpfs(path)
            let destination = PathText.clean(path)
            guard places.insert(destination).inserted else {
                throw .invalid("Duplicate mount point: \(destination)")
            }
            var mount = ContainerMount()
            mount.kind = .tmpfs
            mount.destination = destination
            mount.tmpfsOptions = options.split(separator: ",").map(String.init)
            place(mount)
        }
        for path in (request.config.volumes ?? [:]).keys.sorted() {
            guard PathText.isAbsolute(path) else {
                throw .invalid(
                    "invalid volume specification: '\(path)': invalid mount path: '\(path)' mount path must "
                        + "be absolute")
            }
            let destination = PathText.clean(path)
            if destination == "/" { throw .invalid("invalid specification: destination can't be '/'") }
            guard !mounts.contains(where: { $0.destination == destination }) else { continue }
            var mount = ContainerMount()
            mount.kind = .volume
            mount.destination = destination
            mount.driver = host.volumeDriver
            mount.isAnonymous = true
            place(mount)
        }
    }

    private mutating func place(_ mount: ContainerMount) {
        mounts.removeAll { $0.destination == mount.destination }
        mounts.append(mount)
    }

    // MARK: --volumes-from

    private mutating func takeOver(
        _ text: String, _ lookUp: (String) throws(EngineError) -> ContainerRecord
    ) throws(EngineError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.first, !name.isEmpty else {
            throw .invalid("invalid volumes-from specification: \(text)")
        }
        let mode = parts.count == 2 ? parts[1] : "rw"
        let words = mode.split(separator: ",").map(String.init)
        guard words.allSatisfy({ ["ro", "rw", "z", "Z"].contains($0) }) else { throw .invalid("invalid mode: \(mode)") }
        for mount in try lookUp(name).mounts where mount.kind != .tmpfs {
            var copy = mount
            copy.takenFrom = name
            copy.isAnonymous = false
            copy.isWritable = mount.isWritable && !words.contains("ro")
            place(copy)
        }
    }

    // MARK: -v

    private static func mount(_ bind: BindSpecification, driver: String) -> ContainerMount {
        var mount = ContainerMount()
        mount.kind = bind.isBind ? .bind : .volume
        mount.destination = bind.target
        mount.mode = bind.mode
        mount.isWritable = !bind.isReadOnly
        mount.propagation = bind.propagation
        mount.noCopy = bind.noCopy
        if bind.isBind {
            mount.source = bind.source
            mount.createsSource = true
        } else {
            mount.name = bind.source
            mount.driver = driver
            if mount.mode.isEmpty { mount.mode = "z" }
        }
        return mount
    }

    package static func validateTmpfs(_ path: String) throws(EngineError) {
        guard PathText.isAbsolute(path) else {
            throw .invalid("invalid mount path: '\(path)' mount path must be absolute")
        }
        if PathText.clean(path) == "/" { throw .invalid("invalid specification: destination can't be '/'") }
    }

    // MARK: --mount

    private static func mount(_ request: Mount) throws(EngineError) -> ContainerMount {
        func invalid(_ why: String) -> EngineError {
            .invalid("invalid mount config for type \"\(request.type)\": \(why)")
        }
        guard !request.target.isEmpty else { throw invalid("field Target must not be empty") }
        guard PathText.isAbsolute(request.target) else {
            throw invalid("invalid mount path: '\(request.target)' mount path must be absolute")
        }
        var mount = ContainerMount()
        mount.isFromMounts = true
        mount.destination = PathText.clean(request.target)
        guard mount.destination != "/" else { throw invalid("invalid specification: destination can't be '/'") }
        mount.isWritable = !request.readOnly
        switch request.type {
        case "bind":
            try fill(&mount, bind: request, invalid)
        case "volume":
            try fill(&mount, volume: request, invalid)
        case "tmpfs":
            try fill(&mount, tmpfs: request, invalid)
        case "image":
            throw EngineError(
                .notImplemented, "mounts of type \"image\" are not supported; use a volume, or bind a path")
        default:
            throw .invalid("mount type unknown: \"\(request.type)\"")
        }
        return mount
    }

    private static func fill(
        _ mount: inout ContainerMount, bind request: Mount, _ invalid: (String) -> EngineError
    ) throws(EngineError) {
        guard !request.source.isEmpty else { throw invalid("field Source must not be empty") }
        if request.volumeOptions != nil { throw invalid("field VolumeOptions must not be specified") }
        if request.tmpfsOptions != nil { throw invalid("field TmpfsOptions must not be specified") }
        guard PathText.isAbsolute(request.source) else {
            throw invalid("invalid mount path: '\(request.source)' mount path must be absolute")
        }
        mount.kind = .bind
        mount.source = PathText.clean(request.source)
        if let options = request.bindOptions {
            guard options.propagation.isEmpty || BindSpecification.propagations.contains(options.propagation) else {
                throw invalid("invalid propagation mode: \(options.propagation)")
            }
            mount.propagation = options.propagation
            mount.isNonRecursive = options.nonRecursive
            mount.createsSource = options.createMountpoint
            mount.isReadOnlyNonRecursive = options.readOnlyNonRecursive
            mount.isReadOnlyForceRecursive = options.readOnlyForceRecursive
            if options.readOnlyForceRecursive {
                if options.readOnlyNonRecursive {
                    throw invalid("ReadOnlyForceRecursive: conflicts with ReadOnlyNonRecursive")
                }
                if options.propagation != "rprivate" {
                    throw invalid("ReadOnlyForceRecursive: requires propagation rprivate")
                }
            }
        }
        if !mount.createsSource, !FileDescriptor.currentDirectory.exists(mount.source) {
            throw invalid("bind source path does not exist: \(mount.source)")
        }
    }

    private static func fill(
        _ mount: inout ContainerMount, volume request: Mount, _ invalid: (String) -> EngineError
    ) throws(EngineError) {
        if request.bindOptions != nil { throw invalid("field BindOptions must not be specified") }
        if request.tmpfsOptions != nil { throw invalid("field TmpfsOptions must not be specified") }
        mount.kind = .volume
        mount.name = request.source
        mount.mode = "z"
        mount.isAnonymous = request.source.isEmpty
        mount.driver = request.volumeOptions?.driverConfig?.name ?? ""
        mount.noCopy = request.volumeOptions?.noCopy ?? false
        mount.subpath = request.volumeOptions?.subpath ?? ""
        if !mount.subpath.isEmpty {
            let clean = PathText.clean(mount.subpath)
            guard !PathText.isAbsolute(clean), clean != "..", !clean.hasPrefix("../") else {
                throw invalid("subpath must be a relative path within the volume")
            }
            if mount.isAnonymous { throw invalid("must not set Subpath when using anonymous volumes") }
            mount.subpath = clean
        }
    }

    private static func fill(
        _ mount: inout ContainerMount, tmpfs request: Mount, _ invalid: (String) -> EngineError
    ) throws(EngineError) {
        if request.bindOptions != nil { throw invalid("field BindOptions must not be specified") }
        if request.volumeOptions != nil { throw invalid("field VolumeOptions must not be specified") }
        guard request.source.isEmpty else { throw invalid("field Source must not be specified") }
        mount.kind = .tmpfs
        var options: [String] = []
        if let wanted = request.tmpfsOptions {
            guard wanted.sizeBytes >= 0 else { throw invalid("invalid tmpfs size \(wanted.sizeBytes)") }
            if wanted.mode != 0 { options.append("mode=\(String(wanted.mode & 0o7777, radix: 8))") }
            if wanted.sizeBytes > 0 { options.append("size=\(wanted.sizeBytes)") }
            for option in wanted.options ?? [] { options.append(option.joined(separator: "=")) }
        }
        mount.tmpfsOptions = options
    }
}
