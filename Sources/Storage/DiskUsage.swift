/// What everything takes on the disk.
public struct DiskUsage: Sendable, Equatable {
    /// All unpacked layers, each once, in bytes.
    public var layersSize: Int64 = 0
    /// All kept blobs, in bytes.
    public var blobsSize: Int64 = 0
    public var images: [ImageSummary] = []
    /// By container ID: what its writable layer takes, in bytes.
    public var containers: [String: Int64] = [:]
    /// By volume name, in bytes.
    public var volumes: [String: Int64] = [:]

    public init() {}
}

extension DataRoot {
    /// What everything takes on the disk, for `system df`.
    public func diskUsage() throws(StorageError) -> DiskUsage {
        var usage = DiskUsage()
        usage.layersSize = try layers.list().reduce(0) { $0 + $1.size }
        usage.blobsSize = try content.list().reduce(0) { $0 + $1.size }
        usage.images = try images.list()
        for id in try containers.list() { usage.containers[id] = try containers.size(of: id).writable }
        for volume in try volumes.list() { usage.volumes[volume.name] = try volumes.size(of: volume.name) }
        return usage
    }
}
