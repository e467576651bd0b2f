import EngineModel
import JSON

/// What the engine keeps of a container: what was asked for, completed by the image and the defaults.
package struct ContainerRecord: JSONRecord {
    package var id = ""
    /// Without a leading slash.
    package var name = ""
    /// Nanoseconds since 1970.
    package var created: Int64 = 0
    /// `sha256:…`
    package var imageID = ""
    /// The image's top layer; empty for an image without layers.
    package var chainID = ""
    package var config = ContainerConfig()
    package var hostConfig = HostConfig()
    package var networkingConfig: NetworkingConfig?
    package var mounts: [ContainerMount] = []
    /// The storage driver that holds the writable layer.
    package var driver = ""
    /// As in `linux/amd64`, for `inspect`.
    package var platform = "linux"
    package var unknownMembers = JSONObject()

    package init() {}

    package mutating func members(_ json: inout JSONMembers) {
        json.required("id", &id)
        json.required("name", &name)
        json.required("created", &created)
        json.always("imageID", &imageID)
        json.always("chainID", &chainID)
        json.required("config", &config)
        json.required("hostConfig", &hostConfig)
        json.optional("networkingConfig", &networkingConfig)
        json.always("mounts", &mounts)
        json.always("driver", &driver)
        json.always("platform", &platform)
    }

    /// The command: the entrypoint's words, and then the command's.
    package var command: [String] { (config.entrypoint ?? []) + (config.cmd ?? []) }
    /// `docker ps` shows the name that was asked for.
    package var restartPolicy: RestartPolicy { hostConfig.restartPolicy }
}

/// A mount of a container, with its source decided.
package struct ContainerMount: JSONRecord {
    package enum Kind: String, JSONConvertible {
        case bind, volume, tmpfs
    }

    package var kind = Kind.bind
    /// Of a volume.
    package var name = ""
    /// A path on the host; empty for tmpfs.
    package var source = ""
    package var destination = ""
    package var driver = ""
    /// The options as they were written, for `inspect`.
    package var mode = ""
    package var isWritable = true
    /// Empty for the default.
    package var propagation = ""
    /// Whether a missing source is made, as for `-v` but not for `--mount`.
    package var createsSource = false
    /// Whether the image's content is not copied into a new volume.
    package var noCopy = false
    /// A path in the volume.
    package var subpath = ""
    package var isNonRecursive = false
    package var isReadOnlyNonRecursive = false
    package var isReadOnlyForceRecursive = false
    /// Mount options of a tmpfs.
    package var tmpfsOptions: [String] = []
    /// Whether the volume was made for this container and goes with it.
    package var isAnonymous = false
    /// Whether it was asked for by `--mount`, or by `-v`, `--tmpfs` and the image.
    package var isFromMounts = false
    /// The container whose mount was taken over.
    package var takenFrom = ""
    package var unknownMembers = JSONObject()

    package init() {}

    package mutating func members(_ json: inout JSONMembers) {
        json.required("kind", &kind)
        json.omitEmpty("name", &name)
        json.omitEmpty("source", &source)
        json.required("destination", &destination)
        json.omitEmpty("driver", &driver)
        json.omitEmpty("mode", &mode)
        json.always("isWritable", &isWritable)
        json.omitEmpty("propagation", &propagation)
        json.omitEmpty("createsSource", &createsSource)
        json.omitEmpty("noCopy", &noCopy)
        json.omitEmpty("subpath", &subpath)
        json.omitEmpty("isNonRecursive", &isNonRecursive)
        json.omitEmpty("isReadOnlyNonRecursive", &isReadOnlyNonRecursive)
        json.omitEmpty("isReadOnlyForceRecursive", &isReadOnlyForceRecursive)
        json.omitEmpty("tmpfsOptions", &tmpfsOptions)
        json.omitEmpty("isAnonymous", &isAnonymous)
        json.omitEmpty("isFromMounts", &isFromMounts)
        json.omitEmpty("takenFrom", &takenFrom)
    }

    package var mountPoint: MountPoint {
        var point = MountPoint()
        point.type = kind.rawValue
        point.name = name
        point.source = source
        point.destination = destination
        point.driver = kind == .volume ? (driver.isEmpty ? "local" : driver) : ""
        point.mode = mode
        point.rw = isWritable
        point.propagation = kind == .bind ? (propagation.isEmpty ? "rprivate" : propagation) : ""
        return point
    }
}

/// What a container does, or how it ended: the part of its state that survives a restart of the daemon.
package struct ContainerStatus: JSONRecord {
    package enum Phase: String, JSONConvertible {
        case created, running, paused, restarting, removing, exited, dead
    }

    package var phase = Phase.created
    package var processID: Int32 = 0
    package var exitCode = 0
    package var error = ""
    package var isOOMKilled = false
    /// Nanoseconds since 1970; 0 for never.
    package var startedAt: Int64 = 0
    package var finishedAt: Int64 = 0
    package var restartCount = 0
    /// Whether someone stopped it, so that `unless-stopped` does not start it again.
    package var wasStopped = false
    package var unknownMembers = JSONObject()

    package init() {}

    package mutating func members(_ json: inout JSONMembers) {
        json.required("phase", &phase)
        json.omitEmpty("processID", &processID)
        json.omitEmpty("exitCode", &exitCode)
        json.omitEmpty("error", &error)
        json.omitEmpty("isOOMKilled", &isOOMKilled)
        json.omitEmpty("startedAt", &startedAt)
        json.omitEmpty("finishedAt", &finishedAt)
        json.omitEmpty("restartCount", &restartCount)
        json.omitEmpty("wasStopped", &wasStopped)
    }

    /// Whether it has processes.
    package var isRunning: Bool { phase == .running || phase == .paused }
    /// Whether it has processes, or will have again without being asked.
    package var isActive: Bool { isRunning || phase == .restarting }

    package static func text(_ nanoseconds: Int64) -> String {
        (nanoseconds == 0 ? Timestamp.zero : Timestamp(nanosecondsSince1970: nanoseconds)).description
    }
}
