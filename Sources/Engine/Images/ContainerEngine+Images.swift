import EngineModel
import Glibc
import JSON
import OCI
import Registry
import Storage

extension ContainerEngine {
    // MARK: Finding

    public func images(_ options: ImageListOptions) async throws -> [ImageSummary] {
        let filter = try await blocking {
            try ImageListFilter(options.filters) { name in try self.image(name).created }
        }
        let list = try await blocking { try self.storage.images.list() }
        return list.filter { filter.includes($0) }.map { summary in
            var result = Self.summary(summary, filter, sharedSize: options.sharedSize)
            if options.sharedSize { result.containers = Int64(uses(of: summary.image.id).count) }
            return result
        }
    }

    private static func summary(
        _ summary: Storage.ImageSummary, _ filter: ImageListFilter, sharedSize: Bool
    ) -> ImageSummary {
        var result = ImageSummary()
        let image = summary.image
        result.id = image.id.description
        result.created = image.created?.seconds ?? 0
        result.labels = summary.labels.isEmpty ? nil : summary.labels
        result.parentID = image.parent?.description ?? ""
        // An image found by one of its names is shown with that name alone, as Docker does.
        result.repoTags = image.tags.filter(filter.matchesReference).map(\.familiarName)
        result.repoDigests = image.digests.filter(filter.matchesReference).map(\.familiarName)
        result.size = image.size
        if sharedSize { result.sharedSize = summary.sharedSize }
        return result
    }

    /// Finds an image; blocks.
    /// - Throws: `EngineError` with Docker's sentence.
    private func image(_ name: String) throws -> Image { try findImage(name, platform: "") }

    public func inspectImage(_ name: String) async throws -> ImageInspect {
        try await blocking {
            let image = try self.image(name)
            var result = ImageInspect()
            result.id = image.id.description
            result.repoTags = image.tags.map(\.familiarName)
            result.repoDigests = image.digests.map(\.familiarName)
            result.parent = image.parent?.description ?? ""
            result.comment = image.config.comment ?? image.config.history?.last?.comment ?? ""
            result.created = image.config.created ?? image.created?.description ?? ""
            result.dockerVersion = image.config.dockerVersion ?? ""
            result.author = image.config.author ?? ""
            if let config = image.config.config { result.config = try ImageInspect.Config(json: config.json) }
            result.architecture = image.config.architecture
            result.variant = image.config.variant ?? ""
            result.os = image.config.os
            result.osVersion = image.config.osVersion ?? ""
            result.size = image.size
            result.rootFS.layers = (image.config.rootfs.diffIDs ?? []).map(\.description)
            if let tagged = image.lastTagged { result.metadata.lastTagTime = tagged.description }
            result.graphDriver = try self.graphDriver(of: image)
            return result
        }
    }

    private func graphDriver(of image: Image) throws -> DriverData {
        let name = storage.layers.driver.rawValue
        guard let top = image.chainID else { return DriverData(name: name, data: [:]) }
        let layers = try storage.layers.chain(top)
        guard storage.layers.driver == .overlay2, let first = layers.first else {
            return DriverData(name: name, data: ["Dir": layers.first?.directory ?? ""])
        }
        var data = ["UpperDir": first.directory]
        if layers.count > 1 { data["LowerDir"] = layers.dropFirst().map(\.directory).joined(separator: ":") }
        return DriverData(name: name, data: data)
    }

    public func imageHistory(_ name: String) async throws -> [ImageHistoryItem] {
        try await blocking {
            _ = try self.image(name)
            return try self.storage.images.history(name).map { step in
                var item = ImageHistoryItem()
                item.id = step.id?.description ?? "<missing>"
                item.created = step.created?.seconds ?? 0
                item.createdBy = step.createdBy
                item.comment = step.comment
                item.size = step.size
                item.tags = step.tags.isEmpty ? nil : step.tags.map(\.familiarName)
                return item
            }
        }
    }

    // MARK: In and out

    /// Loads an archive. An error before the first message is thrown by the first element.
    public func loadImages(
        from archive: ByteInput, quiet: Bool, platform: String
    ) async throws -> AsyncThrowingStream<ProgressMessage, any Error> {
        let wanted: Platform?
        do throws(StorageError) { wanted = try self.platform(platform) } catch { throw EngineError(wrapping: error) }
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    let loaded = try await self.work.consume(archive) { input in
                        try self.storage.images.load(from: input, platform: wanted) { progress in
                            if !quiet, let message = Self.message(progress) { continuation.yield(message) }
                        }
                    }
                    for image in loaded {
                        self.postImage("load", image.id, name: image.references.first?.familiarName)
                        for reference in image.references {
                            continuation.yield(.stream("Loaded image: \(reference.familiarName)\n"))
                        }
                        if image.references.isEmpty { continuation.yield(.stream("Loaded image ID: \(image.id)\n")) }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: EngineError(wrapping: error))
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private static func message(_ progress: LoadProgress) -> ProgressMessage? {
        switch progress {
        case .layer(let id, let current, let total):
            var message = ProgressMessage.status("Loading layer", id: id.short)
            var detail = ProgressMessage.Detail()
            detail.current = current
            detail.total = total
            message.progressDetail = detail
            return message
        case .layerExists(let id): return .status("Already exists", id: id.short)
        case .loaded: return nil
        }
    }

    public func saveImages(_ names: [String], platform: String) async throws -> ByteStream {
        guard !names.isEmpty else { throw EngineError.invalid("no image is named") }
        let wanted = try await blocking { () throws -> Platform? in
            for name in names {
                // A repository stands for all its tags, so a bare name need not have the tag `latest`.
                if (try? ImageReference(name)).map({ $0.tag == nil && $0.digest == nil }) == true { continue }
                let image = try self.image(name)
                self.postImage("save", image.id, name: name)
            }
            return try self.platform(platform)
        }
        return try work.stream { try self.storage.images.save(names, to: $0, platform: wanted) }
    }

    /// Makes an image from a root file system.
    public func importImage(
        from archive: ByteInput, options: ImageImportOptions
    ) async throws -> AsyncThrowingStream<ProgressMessage, any Error> {
        var storageOptions = ImageStore.ImportOptions()
        storageOptions.reference = try reference(options.repository, options.tag)
        storageOptions.message = options.message
        storageOptions.changes = options.changes
        do throws(StorageError) {
            storageOptions.platform = try platform(options.platform)
        } catch {
            throw EngineError(wrapping: error)
        }
        let (reference, given) = (storageOptions.reference, storageOptions)
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    let id = try await self.work.consume(archive) { input in
                        try self.storage.images.importRootFileSystem(from: input, options: given)
                    }
                    self.postImage("import", id, name: reference?.familiarName)
                    continuation.yield(.status(id.description))
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: EngineError(wrapping: error))
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Imports an archive from the web. As Docker has it, an address without a scheme is one of `http`.
    public func importImage(
        fromAddress text: String, options: ImageImportOptions
    ) async throws -> AsyncThrowingStream<ProgressMessage, any Error> {
        let address = text.contains("://") ? text : "http://" + text
        let file: WebFile
        do { file = try await registries.download(address) } catch { throw EngineError(wrapping: error) }
        let imported = try await importImage(from: file, options: options)
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    continuation.yield(.status("Downloading from \(address)"))
                    for try await message in imported { continuation.yield(message) }
                    continuation.finish()
                } catch { continuation.finish(throwing: error) }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// The reference of a repository and a tag; `nil` when both are empty.
    private func reference(_ repository: String, _ tag: String) throws -> ImageReference? {
        if repository.isEmpty { return nil }
        do throws(OCIError) {
            let reference = try ImageReference(repository)
            guard reference.digest == nil else {
                throw OCIError(.invalidReference, "cannot give an image a name with a digest")
            }
            return tag.isEmpty ? reference.withDefaultTag : try reference.tagged(tag)
        } catch {
            throw EngineError.invalid("invalid reference format: \(error)")
        }
    }

    /// Makes an image from a container; returns its ID.
    public func commit(_ options: CommitOptions) async throws -> String {
        let container = try registry.find(options.container)
        let record = container.record
        var config = options.config ?? record.config
        if options.config != nil { config.inherit(record.config) }
        let run = try ImageRunConfig(json: config.json)
        var commit = ImageStore.CommitOptions(
            containerID: record.id, parent: try? Digest(record.imageID), config: run)
        commit.reference = try reference(options.repository, options.tag)
        commit.author = options.author
        commit.message = options.message
        commit.changes = options.changes
        let given = commit
        let id = try await container.lock.withLock { () async throws -> Digest in
            let run = container.run
            let pauses = options.pause && run != nil && container.status.phase == .running
            if pauses { try await run?.connection.pause() }
            let result: Result<Digest, any Error>
            do { result = .success(try await work.runLong { try self.storage.images.commit(given) }) } catch {
                result = .failure(error)
            }
            if pauses { try? await run?.connection.resume() }
            do { return try result.get() } catch { throw EngineError(wrapping: error) }
        }
        post(container, "commit", ["comment": options.message, "imageID": id.description])
        return id.description
    }

    // MARK: Names and removal

    public func tagImage(_ name: String, repository: String, tag: String) async throws {
        guard let reference = try reference(repository, tag) else {
            throw EngineError.invalid("invalid reference format: the repository is missing")
        }
        let image = try await blocking { () throws -> Image in
            _ = try self.image(name)
            return try self.storage.images.tag(name, as: reference)
        }
        postImage("tag", image.id, name: reference.familiarName)
    }

    public func removeImage(_ name: String, force: Bool, prunesParents: Bool) async throws -> [ImageDeleteItem] {
        let (image, deletions) = try await blocking { () throws -> (Image, [ImageDeletion]) in
            let image = try self.image(name)
            return (
                image,
                try self.storage.images.remove(name, force: force, prunesParents: prunesParents) { self.uses(of: $0) }
            )
        }
        return report(deletions, of: image.id)
    }

    private func report(_ deletions: [ImageDeletion], of id: Digest?) -> [ImageDeleteItem] {
        deletions.map { deletion in
            switch deletion {
            case .untagged(let reference):
                if let id { postImage("untag", id, name: reference) }
                return .untagged(reference)
            case .deleted(let digest):
                if digest == id { postImage("delete", digest, name: nil) }
                return .deleted(digest.description)
            }
        }
    }

    public func pruneImages(_ filters: Filters) async throws -> ImagePruneReport {
        let filter = try PruneFilter(filters, more: ["dangling"])
        let dangling: Bool
        do throws(InvalidFilter) { dangling = try filters.bool("dangling") ?? true } catch {
            throw EngineError.invalid("\(error)")
        }
        let (deletions, freed) = try await blocking {
            try self.storage.images.prune(all: !dangling, uses: { self.uses(of: $0) }) { summary in
                filter.includes(
                    labels: summary.labels, created: summary.image.created?.nanosecondsSince1970 ?? 0)
            }
        }
        var result = ImagePruneReport()
        result.imagesDeleted = deletions.isEmpty ? nil : report(deletions, of: nil)
        result.spaceReclaimed = UInt64(clamping: freed)
        events.post(type: "image", action: "prune", id: "", attributes: ["reclaimed": "\(freed)"])
        return result
    }

    private func postImage(_ action: String, _ id: Digest, name: String?) {
        events.post(
            type: "image", action: action, id: id.description, attributes: ["name": name ?? id.description])
    }
}

/// The filters of `GET /images/json`.
package struct ImageListFilter: Sendable {
    private let filters: Filters
    private let isDangling: Bool?
    private let before: Timestamp?
    private let since: Timestamp?
    private let until: Int64?

    /// - Parameter created: when the image of `before` and `since` was made.
    package init(_ filters: Filters, created: (String) throws -> Timestamp?) throws {
        self.filters = filters
        do {
            try filters.validate(["before", "dangling", "label", "reference", "since", "until"])
            isDangling = try filters.bool("dangling")
        } catch {
            throw EngineError.invalid("\(error)")
        }
        guard filters["reference"].allSatisfy(Self.isPattern) else {
            throw EngineError.invalid("invalid filter 'reference=\(filters["reference"])': syntax error in pattern")
        }
        before = try filters["before"].first.flatMap { try created($0) }
        since = try filters["since"].first.flatMap { try created($0) }
        until = filters["until"].first.flatMap { text in
            Timestamp(parameter: text)?.nanosecondsSince1970
                ?? PruneFilter.goDuration(text).map { Timestamp.now.nanosecondsSince1970 - $0 }
        }
    }

    package func includes(_ summary: Storage.ImageSummary) -> Bool {
        let image = summary.image
        let created = image.created ?? .zero
        if let isDangling, isDangling != summary.isDangling { return false }
        if let before, created >= before { return false }
        if let since, created <= since { return false }
        if let until, created.nanosecondsSince1970 >= until { return false }
        if !filters.matchesLabels("label", summary.labels) { return false }
        return filters["reference"].isEmpty || (image.tags + image.digests).contains(where: matchesReference)
    }

    /// Whether the filter `reference`, where there is one, matches this name.
    func matchesReference(_ reference: ImageReference) -> Bool {
        let patterns = filters["reference"]
        return patterns.isEmpty
            || patterns.contains { pattern in
                Self.matches(pattern, reference.familiarName) || Self.matches(pattern, reference.familiarRepository)
            }
    }

    /// A shell's pattern, in which `*` and `?` do not match a slash.
    package static func matches(_ pattern: String, _ text: String) -> Bool {
        fnmatch(pattern, text, FNM_PATHNAME) == 0
    }

    /// Whether every `[` of a pattern is closed and every backslash followed by something.
    package static func isPattern(_ pattern: String) -> Bool {
        var rest = Array(pattern.utf8)[...]
        func isBackslash(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\\") }
        while let byte = rest.popFirst() {
            if isBackslash(byte), rest.popFirst() == nil { return false }
            guard byte == UInt8(ascii: "[") else { continue }
            if rest.first == UInt8(ascii: "^") { rest.removeFirst() }
            var isEmpty = true
            while let inner = rest.popFirst() {
                if inner == UInt8(ascii: "]") {
                    if isEmpty { return false }
                    isEmpty = false
                    break
                }
                if isBackslash(inner), rest.popFirst() == nil { return false }
                isEmpty = false
                if rest.isEmpty { return false }
            }
            if isEmpty { return false }
        }
        return true
    }
}
