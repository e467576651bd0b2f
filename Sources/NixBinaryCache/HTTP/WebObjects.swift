import Archive
import NixStore
import Registry

/// A cache behind HTTP.
struct WebObjects: CacheObjects {
    let root: WebAddress
    let client: CacheClient

    private func address(_ name: String) throws -> WebAddress {
        if name.hasPrefix("https://") || name.hasPrefix("http://") && root.scheme == .http {
            if let address = WebAddress(name) { return address }
        }
        let path = name.prefix { $0 != "?" }
        guard !name.isEmpty, !name.contains("://"),
            path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy({
                !$0.isEmpty && $0 != "." && $0 != ".."
            }), let address = WebAddress("\(root.origin)\(root.path == "/" ? "" : root.path)/\(name)")
        else { throw StoreError(.badCache, "the binary cache '\(root)' names a file outside of itself: '\(name)'") }
        return address
    }

    func get(_ name: String, limit: Int) throws -> [UInt8]? {
        let source = try open(name)
        do { return try source.readAll(limit: limit) } catch let error as StoreError {
            if case .notFound = error.code { return nil }
            throw error
        } catch is ArchiveError {
            throw StoreError(
                .badCache, "'\(try address(name).withoutSecrets)' is longer than the \(limit) bytes that make sense")
        }
    }

    func open(_ name: String) throws -> any ByteSource { WebSource(client, try address(name)) }

    func put(_ name: String, _ bytes: [UInt8]) throws { try client.put(try address(name), .bytes(bytes)) }

    func put(_ name: String, fileAt path: String) throws {
        try client.put(try address(name), .file(path))
        try DirectoryObjects.remove(path)
    }

    var stagingDirectory: String { client.settings.stagingDirectory }
}

/// A file that comes over the network, on its way.
private final class WebSource: ByteSource {
    private let pipe = BytePipe(capacity: 2 << 20)
    private let task: Task<Void, Never>

    init(_ client: CacheClient, _ address: WebAddress) {
        let pipe = pipe
        task = Task {
            do {
                try await client.download(address, into: pipe)
                pipe.finish()
            } catch { pipe.finish(throwing: error) }
        }
    }

    deinit {
        pipe.abandon()
        task.cancel()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let bytes = try pipe.read(buffer.count)
        buffer.copyBytes(from: bytes)
        return bytes.count
    }
}

/// Single files of the web.
public enum WebFile {
    /// Hands out the file at `address`, `http://…` or `https://…`, piece by piece.
    /// - Throws: `StoreError.unreachable`, `.notFound`, and whatever `sink` throws.
    public static func read(
        _ address: String, settings: TransferSettings, to sink: ([UInt8]) throws -> Void
    ) throws {
        guard let parsed = WebAddress(address) else {
            throw StoreError(.unsupported, "'\(address)' is not an address that files are fetched from: http or https")
        }
        let source = WebSource(CacheClient(settings), parsed)
        while true {
            let bytes = try [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, count in
                count = try source.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if bytes.isEmpty { return }
            try sink(bytes)
        }
    }
}
