import EngineModel
import OCI
import Storage

extension ContainerEngine {
    public func containers(_ options: ContainerListOptions) async throws -> [ContainerSummary] {
        let filter = try await blocking {
            try ContainerListFilter(
                options.filters, lookUp: { name throws(EngineError) in try self.registry.find(name) },
                imageID: { name in (try? self.storage.images.resolve(name))?.id.description })
        }
        let now = Timestamp.now
        var chosen: [(Container, ContainerRecord, ContainerStatus, Health?)] = []
        for container in registry.all {
            let (record, status, health) = container.read { ($0.record, $0.status, $0.health) }
            let shows = options.all || options.limit > 0 || filter.wantsStopped || status.isActive
            if shows, filter.includes(record, status, health, networks: { self.networkNames(record) }) {
                chosen.append((container, record, status, health))
            }
        }
        // The newest first.
        chosen.sort { ($0.1.created, $0.1.id) > ($1.1.created, $1.1.id) }
        if options.limit > 0 { chosen = Array(chosen.prefix(options.limit)) }
        let images = Set(chosen.map(\.1.imageID))
        let tags = images.isEmpty ? [:] : try await blocking { self.imageNames(images) }
        var result: [ContainerSummary] = []
        for (container, record, status, health) in chosen {
            var summary = summary(record, status, health, now: now, names: tags)
            addNetworks(of: container, to: &summary)
            if options.size {
                let size = try await blocking { try self.storage.containers.size(of: record.id) }
                summary.sizeRw = size.writable
                summary.sizeRootFs = size.total
            }
            result.append(summary)
        }
        return result
    }

    /// The names that images have now, by ID: a container whose image lost its name is shown with the ID. Blocks.
    private func imageNames(_ ids: Set<String>) -> [String: Set<String>] {
        var names: [String: Set<String>] = [:]
        for id in ids {
            let image = (try? Digest(id)).flatMap { try? storage.images.image($0) }
            names[id] = Set((image?.tags ?? []).map(\.familiarName))
        }
        return names
    }

    func summary(
        _ record: ContainerRecord, _ status: ContainerStatus, _ health: Health?, now: Timestamp,
        names: [String: Set<String>]
    ) -> ContainerSummary {
        var summary = ContainerSummary()
        summary.id = record.id
        summary.names = ["/" + record.name]
        summary.image = record.config.image
        if let reference = try? ImageReference(record.config.image), reference.digest == nil,
            let known = names[record.imageID], !known.contains(reference.withDefaultTag.familiarName),
            !record.imageID.hasPrefix("sha256:\(record.config.image)"), record.imageID != record.config.image
        {
            summary.image = record.imageID
        }
        summary.imageID = record.imageID
        summary.command = Self.commandLine(record)
        summary.created = record.created / 1_000_000_000
        summary.labels = record.config.labels ?? [:]
        summary.state = status.phase.rawValue
        summary.status = StatusText.text(status, health: health, now: now)
        summary.hostConfig.networkMode = record.hostConfig.networkMode
        summary.hostConfig.annotations = record.hostConfig.annotations
        summary.mounts = record.mounts.filter { $0.kind != .tmpfs || $0.isFromMounts }.map(\.mountPoint)
        return summary
    }

    /// The command with words that need it quoted.
    private static func commandLine(_ record: ContainerRecord) -> String {
        record.command.enumerated().map { place, word in
            guard place > 0, word.contains(" ") else { return word }
            return "'\(word)'"
        }.joined(separator: " ")
    }

    /// The containers that have a volume among their mounts, but those that are just being removed.
    func containers(usingVolume name: String) -> [Container] {
        registry.all.filter { container in
            container.read { state in
                state.status.phase != .removing
                    && state.record.mounts.contains { $0.kind == .volume && $0.name == name }
            }
        }
    }

    /// The containers made from an image.
    func uses(of image: Digest) -> [ImageUse] {
        registry.all.filter { $0.record.imageID == image.description }
            .map { ImageUse(containerID: $0.id, isRunning: $0.status.isActive) }
    }
}
