import EngineModel
import Storage

extension ContainerEngine {
    public func createVolume(_ request: VolumeCreateRequest) async throws -> Volume {
        let (volume, isNew) = try await blocking { () throws -> (Storage.Volume, Bool) in
            let isKnown = !request.name.isEmpty && (try? self.storage.volumes.volume(request.name)) != nil
            let volume = try self.storage.volumes.create(
                request.name.isEmpty ? nil : request.name, driver: request.driver.isEmpty ? "local" : request.driver,
                labels: request.labels ?? [:], options: request.driverOpts ?? [:])
            return (volume, !isKnown)
        }
        if isNew {
            events.post(type: "volume", action: "create", id: volume.name, attributes: ["driver": volume.driver])
        }
        return Self.describe(volume)
    }

    private static func describe(_ volume: Storage.Volume) -> Volume {
        var result = Volume()
        result.name = volume.name
        result.driver = volume.driver
        result.labels = volume.labels.isEmpty ? nil : volume.labels
        result.options = volume.options.isEmpty ? nil : volume.options
        result.mountpoint = volume.mountpoint
        result.createdAt = Timestamp(seconds: volume.created.seconds).description
        return result
    }

    public func volumes(_ filters: Filters) async throws -> VolumeList {
        let isDangling: Bool?
        do throws(InvalidFilter) {
            try filters.validate(["dangling", "name", "driver", "label"])
            isDangling = try filters.bool("dangling")
        } catch {
            throw EngineError.invalid("\(error)")
        }
        var list = VolumeList()
        list.volumes = try await blocking { try self.storage.volumes.list() }.filter { volume in
            if let isDangling, isDangling == !containers(usingVolume: volume.name).isEmpty { return false }
            let names = filters["name"]
            if !names.isEmpty,
                !names.contains(where: { name in volume.name.indices.contains { volume.name[$0...].hasPrefix(name) } })
            {
                return false
            }
            return filters.matchesExactly("driver", volume.driver) && filters.matchesLabels("label", volume.labels)
        }.map(Self.describe)
        return list
    }

    public func inspectVolume(_ name: String) async throws -> Volume {
        Self.describe(try await blocking { try self.storage.volumes.volume(name) })
    }

    public func removeVolume(_ name: String, force: Bool) async throws {
        try await blocking {
            try self.storage.volumes.remove(
                name, force: force, users: self.containers(usingVolume: name).map(\.id).sorted())
        }
        events.post(type: "volume", action: "destroy", id: name, attributes: ["driver": "local"])
    }

    public func pruneVolumes(_ filters: Filters) async throws -> VolumePruneReport {
        let filter = try PruneFilter(filters, more: ["all"])
        let all: Bool
        do throws(InvalidFilter) { all = try filters.bool("all") ?? false } catch {
            throw EngineError.invalid("\(error)")
        }
        let (names, freed) = try await blocking {
            try self.storage.volumes.prune(
                all: all, isUsed: { !self.containers(usingVolume: $0.name).isEmpty },
                where: { filter.includes(labels: $0.labels, created: $0.created.nanosecondsSince1970) })
        }
        var report = VolumePruneReport()
        report.volumesDeleted = names
        report.spaceReclaimed = UInt64(clamping: freed)
        events.post(type: "volume", action: "prune", id: "", attributes: ["reclaimed": "\(freed)"])
        return report
    }

    // MARK: Disk usage

    /// - Parameter kinds: empty for all.
    public func diskUsage(_ kinds: Set<DiskUsageKind>) async throws -> DiskUsage {
        let kinds = kinds.isEmpty ? Set(DiskUsageKind.allCases) : kinds
        let measured: Storage.DiskUsage
        do { measured = try await work.runLong { try self.storage.diskUsage() } } catch {
            throw EngineError(wrapping: error)
        }
        var usage = DiskUsage()
        if kinds.contains(.image) {
            usage.layersSize = measured.layersSize
            var options = ImageListOptions()
            options.sharedSize = true
            usage.images = try await images(options)
        }
        if kinds.contains(.container) {
            var options = ContainerListOptions()
            options.all = true
            usage.containers = try await containers(options).map { summary in
                var summary = summary
                summary.sizeRw = measured.containers[summary.id] ?? 0
                return summary
            }
        }
        if kinds.contains(.volume) {
            usage.volumes = try await volumes(Filters()).volumes.map { volume in
                var volume = volume
                var data = Volume.UsageData()
                data.refCount = Int64(containers(usingVolume: volume.name).count)
                data.size = measured.volumes[volume.name] ?? -1
                volume.usageData = data
                return volume
            }
        }
        if kinds.contains(.buildCache) { usage.buildCache = [] }
        return usage
    }
}
