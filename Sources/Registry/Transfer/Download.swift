import OCI

/// Where the blobs of a pull go.
public protocol BlobDestination: Sendable {
    /// Begins, or takes up, a blob; waits while someone else is fetching the same.
    /// - Returns: `nil` when it is there.
    func begin(_ blob: Descriptor) async throws -> (any BlobWriter)?
}

extension Repository {
    /// Fetches blobs side by side, each once, as many at a time as the client allows, the first ones first.
    ///
    /// The first failure ends the others; what they verified until then stays.
    public func download(
        _ blobs: [Descriptor], into destination: some BlobDestination, report: @escaping TransferReport
    ) async throws {
        var seen: Set<Digest> = []
        let blobs = blobs.filter { seen.insert($0.digest).inserted }
        for blob in blobs { report(TransferProgress(blob, .pending)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, blob) in blobs.enumerated() {
                if number >= client.configuration.maximumDownloads { report(TransferProgress(blob, .waiting)) }
                group.addTask { try await self.download(blob, into: destination, report) }
            }
            try await group.waitForAll()
        }
    }

    private func download(
        _ blob: Descriptor, into destination: some BlobDestination, _ report: @escaping TransferReport
    ) async throws {
        // Not while holding a slot: it may take as long as another pull's download.
        guard let writer = try await destination.begin(blob) else { return report(TransferProgress(blob, .existed)) }
        try await client.downloads.withSlot {
            let limiter = ReportLimiter()
            try await download(blob, into: writer) { current in
                if limiter.isDue { report(TransferProgress(blob, .moving(current: current))) }
            }
        }
        report(TransferProgress(blob, .done))
    }
}
