import Archive
import CommandLineKit
import EngineClient
import EngineModel
import Glibc
import JSON
import Kernel
import Synchronization

extension Commands {
    static var copy: Command<Action> {
        var command = Command<Action>(
            "cp", "Copy files/folders between a container and the local filesystem",
            usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\t% cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
            arguments: .exactly(2)
        ) { flags in
            let archive = flags.bool("archive", "a", "Keep users and groups")
            let follow = flags.bool("follow-link", "L", "Copy what a symbolic link in SRC_PATH points to")
            flags.bool("quiet", "q", "Do not show progress")
            return { context, arguments in
                let (source, target) = (CopyEnd(arguments[0]), CopyEnd(arguments[1]))
                let copy = Copy(context: context, keepsOwners: archive.value, followsLink: follow.value)
                switch (source.container, target.container) {
                case (let container?, nil): try await copy.fromContainer(container, source.path, to: target.path)
                case (nil, let container?): try await copy.toContainer(container, target.path, from: source.path)
                case (nil, nil): throw ExitStatus(1, "must specify at least one container source")
                default: throw ExitStatus(1, "copying between containers is not supported")
                }
            }
        }
        command.spellings = ["% container cp", "% cp"]
        return command
    }
}

/// `CONTAINER:PATH`, or a path here. A path that begins with `/` or `.` is one here, whatever colons it has.
struct CopyEnd {
    var container: String?
    var path: String

    init(_ text: String) {
        path = text
        if text.hasPrefix("/") || text.hasPrefix(".") { return }
        if let (name, rest) = OptionText.cut(text, ":"), !name.isEmpty, !name.contains("/") {
            container = name
            path = rest
        }
    }
}

/// Both directions of `cp`. The paths' last parts decide what is made: a target that is a directory gets the source
/// in it; one that does not exist becomes the source; a source that ends with `/.` stands for what is in it.
struct Copy {
    let context: Context
    let keepsOwners: Bool
    let followsLink: Bool

    private static func base(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? "/"
        return name == "." || name == ".." ? "/" : name
    }

    private static func parent(_ path: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let head = parts.dropLast().joined(separator: "/")
        return path.hasPrefix("/") ? "/" + head : head.isEmpty ? "." : head
    }

    private static func isContents(_ path: String) -> Bool { path.hasSuffix("/.") || path == "." }

    func fromContainer(_ container: String, _ path: String, to target: String) async throws {
        var path = path.hasPrefix("/") ? path : "/" + path
        let client = try await context.client()
        if followsLink, let link = try await pathStat(container, path), !link.linkTarget.isEmpty {
            path = link.linkTarget.hasPrefix("/") ? link.linkTarget : Self.parent(path) + "/" + link.linkTarget
        }
        let stream = try await client.stream(
            EngineClient.Request("GET", "/containers/\(container)/archive", [("path", path)]))
        if target == "-" {
            while let buffer = try await stream.next() {
                buffer.withUnsafeReadableBytes { _ = Output.write($0, to: 1) }
            }
            return
        }
        var info = stat()
        let exists = stat(target, &info) == 0
        let isDirectory = exists && info.st_mode & S_IFMT == S_IFDIR
        let found = Self.decoded(stream.answer.headers.first(name: "X-Docker-Container-Path-Stat"))
        let isSourceDirectory = found.map { $0.mode >> 31 == 1 } ?? false
        if exists, !isDirectory, isSourceDirectory {
            throw ExitStatus(1, "cannot copy directory")
        }
        if !exists, target.hasSuffix("/"), !isSourceDirectory {
            throw ExitStatus(1, "destination directory \(target) must be a directory that exists")
        }
        // The archive's top entry has the source's name; it is renamed when the target names the copy itself.
        let top = Self.base(path)
        let (directory, name): (String, String?) =
            isDirectory ? (target, Self.isContents(path) ? "." : nil) : (Self.parent(target), Self.base(target))
        if !isDirectory, !File.exists(directory) {
            throw ExitStatus(1, "invalid output path: directory \(goQuoted(directory)) does not exist")
        }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ExitStatus(1, "pipe: \(File.lastError())") }
        let (reader, writer) = (ends[0], ends[1])
        let keepsOwners = keepsOwners
        // Unpacking blocks, so it has a thread; the pipe between holds it and the network to the same speed.
        async let result = onThread {
            defer { close(reader) }
            try CopyArchive.unpack(from: reader, into: directory, top: top, as: name, keepsOwners: keepsOwners)
        }
        while let buffer = try await stream.next() {
            // A reader that gave up has its own reason, which is the one to tell.
            guard buffer.withUnsafeReadableBytes({ Output.write($0, to: writer) }) else { break }
        }
        close(writer)
        try await result
    }

    func toContainer(_ container: String, _ path: String, from source: String) async throws {
        let path = path.hasPrefix("/") ? path : "/" + path
        var target = try await pathStat(container, path)
        var resolved = path
        if let found = target, !found.linkTarget.isEmpty {
            resolved = found.linkTarget.hasPrefix("/") ? found.linkTarget : Self.parent(path) + "/" + found.linkTarget
            target = try await pathStat(container, resolved)
        }
        let isDirectory = target.map { $0.mode >> 31 == 1 } ?? false
        var query = [("noOverwriteDirNonDir", "true")]
        if keepsOwners { query.append(("copyUIDGID", "true")) }
        let client = try await context.client()
        if source == "-" {
            if target != nil, !isDirectory {
                throw ExitStatus(1, "destination \"\(container):\(path)\" must be a directory")
            }
            query.insert(("path", resolved), at: 0)
            _ = try await drain(
                client.upload(EngineClient.Request("PUT", "/containers/\(container)/archive", query), from: 0))
            return
        }
        var info = stat()
        guard (followsLink ? stat(source, &info) : lstat(source, &info)) == 0 else {
            throw ExitStatus(1, "lstat \(File.absolute(source)): \(File.lastError().lowercased())")
        }
        if target != nil, !isDirectory, info.st_mode & S_IFMT == S_IFDIR {
            throw ExitStatus(1, "cannot copy directory")
        }
        if target == nil, path.hasSuffix("/"), info.st_mode & S_IFMT != S_IFDIR {
            throw ExitStatus(1, "no such directory")
        }
        let directory = isDirectory ? resolved : Self.parent(resolved)
        let name =
            isDirectory ? (Self.isContents(source) ? "." : Self.base(File.absolute(source))) : Self.base(resolved)
        query.insert(("path", directory), at: 0)
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ExitStatus(1, "pipe: \(File.lastError())") }
        let (reader, writer) = (ends[0], ends[1])
        let followsLink = followsLink
        async let packed = onThread {
            defer { close(writer) }
            try CopyArchive.pack(File.absolute(source), as: name, followsLink: followsLink, to: writer)
        }
        let answer: Result<Void, any Error>
        do {
            try await drain(
                client.upload(EngineClient.Request("PUT", "/containers/\(container)/archive", query), from: reader))
            answer = .success(())
        } catch {
            answer = .failure(error)
        }
        close(reader)
        // What the daemon says of a broken archive is less than what broke it here.
        do { try await packed } catch { if case .success = answer { throw error } }
        try answer.get()
    }

    private func drain(_ stream: ResponseStream) async throws { while try await stream.next() != nil {} }

    /// What is at a path in a container; `nil` when nothing is.
    private func pathStat(_ container: String, _ path: String) async throws -> ContainerPathStat? {
        do {
            let (answer, _) = try await context.client().exchange(
                EngineClient.Request("HEAD", "/containers/\(container)/archive", [("path", path)]))
            return Self.decoded(answer.headers.first(name: "X-Docker-Container-Path-Stat"))
        } catch let error as EngineClientError where error.status == 404 {
            return nil
        }
    }

    private static func decoded(_ header: String?) -> ContainerPathStat? {
        guard let header, let bytes = Base64.decode(header) else { return nil }
        return try? ContainerPathStat(parsing: bytes)
    }
}

/// Runs what blocks on a thread of its own, and waits for it.
func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        BlockingThread.start { continuation.resume(with: Result(catching: body)) }
    }
}

/// Archives on this side of `cp`.
enum CopyArchive {
    static func pack(_ path: String, as name: String, followsLink: Bool, to descriptor: Int32) throws {
        let sink = DescriptorSink(FileDescriptor(borrowing: descriptor))
        let writer = TarWriter(sink)
        let root = try FileDescriptor.open("/", [.readOnly, .directory])
        try TreePacker().pack(
            Array(path.utf8), in: root, as: Array(name.utf8), followsLastLink: followsLink, into: writer)
        try writer.finish()
        try sink.finish()
    }

    /// - Parameters:
    ///   - top: the name of the archive's top entry.
    ///   - name: what the top entry becomes; `nil` for its own name, `.` for the directory itself.
    static func unpack(
        from descriptor: Int32, into directory: String, top: String, as name: String?, keepsOwners: Bool
    ) throws {
        let source = DescriptorSource(FileDescriptor(borrowing: descriptor))
        var options = UnpackOptions()
        options.keepsKindOfExisting = true
        if !keepsOwners { options.ownership = .fixed(uid: geteuid(), gid: getegid()) }
        let root = try FileDescriptor.open(directory, [.readOnly, .directory])
        guard let name, name != top else {
            _ = try TarUnpacker(into: root, options: options).unpack(source)
            return
        }
        // Rename on the way: read the archive, and write it anew with the other top name.
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ExitStatus(1, "pipe: \(File.lastError())") }
        let writer = ends[1]
        let (from, to) = (Array(top.utf8), Array(name.utf8))
        let failure = Failure()
        BlockingThread.start {
            defer { close(writer) }
            do {
                let reader = TarReader(DescriptorSource(FileDescriptor(borrowing: descriptor)))
                let sink = DescriptorSink(FileDescriptor(borrowing: writer))
                let output = TarWriter(sink)
                while var entry = try reader.next() {
                    entry.path = renamed(entry.path, from, to)
                    if entry.kind == .hardLink { entry.linkTarget = renamed(entry.linkTarget, from, to) }
                    entry.extents = nil
                    try output.add(entry, content: reader.content)
                }
                try output.finish()
                try sink.finish()
            } catch {
                failure.set("\(error)")
            }
        }
        defer { close(ends[0]) }
        do {
            _ = try TarUnpacker(into: root, options: options).unpack(
                DescriptorSource(FileDescriptor(borrowing: ends[0])))
        } catch {
            if let reason = failure.reason { throw ExitStatus(1, reason) }
            throw error
        }
    }

    private static func renamed(_ path: [UInt8], _ from: [UInt8], _ to: [UInt8]) -> [UInt8] {
        if from == [UInt8(ascii: "/")] { return to + [UInt8(ascii: "/")] + path }
        guard path.starts(with: from), path.count == from.count || path[from.count] == UInt8(ascii: "/") else {
            return path
        }
        return to + path[from.count...]
    }
}

/// The first thing that went wrong on another thread.
private final class Failure: Sendable {
    private let text = Mutex<String?>(nil)
    var reason: String? { text.withLock { $0 } }
    func set(_ reason: String) { text.withLock { $0 = $0 ?? reason } }
}

enum Base64 {
    /// The bytes of standard base64 (RFC 4648), or `nil`.
    static func decode(_ text: String) -> [UInt8]? {
        var result: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 {
            let value: UInt8
            switch byte {
            case 65...90: value = byte - 65
            case 97...122: value = byte - 71
            case 48...57: value = byte + 4
            case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
            case UInt8(ascii: "="): continue
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return result
    }
}
