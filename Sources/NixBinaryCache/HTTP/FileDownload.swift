import Kernel
import NixStore
import Registry

/// Single files from anywhere: `http`, `https` and `file` addresses.
package struct FileDownload: Sendable {
    private let client: CacheClient

    package init(_ settings: TransferSettings) { client = CacheClient(settings) }

    package struct Outcome: Sendable {
        /// What the server calls this version of the file; empty where it has no name.
        package var tag = ""
        /// Whether the file is what `knownTag` names still, and nothing was written.
        package var isUnchanged = false
    }

    /// Writes what `url` names to `file`.
    ///
    /// - Parameter knownTag: names a version that need not be sent.
    /// - Throws: `StoreError.notFound` and others that a download ends in; the file holds what came until then.
    package func download(_ url: String, to file: FileDescriptor, knownTag: String?) throws -> Outcome {
        if url.hasPrefix("file://") {
            try copy(Self.path(of: url), to: file)
            return Outcome()
        }
        guard let address = WebAddress(url) else {
            throw StoreError(
                .unsupported, "'\(url)' is no address that can be fetched: http://…, https://… or file:///…")
        }
        let tags = CacheClient.Tags(known: knownTag.flatMap { $0.isEmpty ? nil : $0 })
        let pipe = BytePipe(capacity: 2 << 20)
        let client = client
        let task = Task {
            do {
                try await client.download(address, into: pipe, tags: tags)
                pipe.finish()
            } catch { pipe.finish(throwing: error) }
        }
        defer {
            pipe.abandon()
            task.cancel()
        }
        while true {
            let bytes = try pipe.read(1 << 18)
            if bytes.isEmpty { break }
            try file.writeAll(bytes)
        }
        return tags.state.withLock { Outcome(tag: $0.tag ?? "", isUnchanged: $0.isUnchanged) }
    }

    /// The path in `file:///path` or `file://localhost/path`, `%20` decoded.
    package static func path(of url: String) throws -> String {
        var rest = url.dropFirst(7)
        if rest.hasPrefix("localhost/") { rest = rest.dropFirst(9) }
        var bytes: [UInt8] = []
        var encoded = Array(rest.utf8.prefix { $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "?") })[...]
        while let byte = encoded.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard encoded.count >= 2, let value = UInt8(String(decoding: encoded.prefix(2), as: UTF8.self), radix: 16)
            else { throw StoreError(.unsupported, "the address '\(url)' has a '%' without two digits") }
            encoded = encoded.dropFirst(2)
            bytes.append(value)
        }
        let path = String(decoding: bytes, as: UTF8.self)
        guard path.hasPrefix("/"), !bytes.contains(0) else {
            throw StoreError(.unsupported, "the address '\(url)' needs an absolute path: file:///path")
        }
        return path
    }

    private func copy(_ path: String, to file: FileDescriptor) throws {
        let source: FileDescriptor
        do throws(KernelError) { source = try FileDescriptor.open(path) } catch {
            throw StoreError(.notFound, error.description)
        }
        while true {
            let bytes = try source.read(count: 1 << 18)
            if bytes.isEmpty { return }
            try file.writeAll(bytes)
        }
    }
}
