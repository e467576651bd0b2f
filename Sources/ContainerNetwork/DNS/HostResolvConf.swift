import Kernel

/// Where the host keeps its `resolv.conf`.
public struct HostResolvConf: Sendable {
    public var path: String
    /// The file that systemd-resolved keeps for those who cannot reach its stub at 127.0.0.53.
    public var pathBesideStub: String

    public init(path: String = "/etc/resolv.conf", pathBesideStub: String = "/run/systemd/resolve/resolv.conf") {
        self.path = path
        self.pathBesideStub = pathBesideStub
    }

    /// A file past this size is no configuration.
    private static let maximumSize = 1 << 20

    /// Reads the file that counts: the one beside the stub where the stub is the host's only server. A file that is
    /// not there is empty.
    public func read(header: String = ResolvConf.header) -> ResolvConf {
        let file = ResolvConf(text(path), path: path, header: header)
        let stub = InternetAddress(ipv4: 127, 0, 0, 53)
        guard file.nameServers.count == 1, file.nameServers[0].address == stub else { return file }
        return ResolvConf(text(pathBesideStub), path: pathBesideStub, header: header)
    }

    private func text(_ path: String) -> String {
        (try? FileDescriptor.currentDirectory.readText(path, limit: Self.maximumSize)) ?? ""
    }
}

/// Tells of each change of the host's `resolv.conf`.
final class HostResolvConfWatch {
    private let location: HostResolvConf
    private let loop: EventLoop
    private let files: FileWatch
    private var watch: EventLoop.Watch?
    private let changed: (ResolvConf) -> Void

    /// - Parameter changed: called at once, and after each change.
    init(_ location: HostResolvConf, on loop: EventLoop, changed: @escaping (ResolvConf) -> Void) throws(KernelError) {
        self.location = location
        self.loop = loop
        self.changed = changed
        files = try FileWatch()
        watchFiles()
        watch = try loop.watch(files.descriptor, .readable) { [weak self] _ in self?.react() }
        changed(location.read())
    }

    /// Programs replace the file as often as they write it, so the directories are watched; behind a symbolic link,
    /// its target's, too.
    private func watchFiles() {
        for path in [location.path, location.pathBesideStub] {
            _ = try? files.add(Self.directory(path), [.closedAfterWriting, .movedTo, .created, .deleted])
            _ = try? files.add(path, [.closedAfterWriting, .modified, .selfDeleted, .selfMoved])
        }
    }

    private static func directory(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private func react() {
        let names = Set([location.path, location.pathBesideStub].map { String($0.splitBytes("/").last ?? "") })
        let events = (try? files.events()) ?? []
        guard events.contains(where: { $0.name.isEmpty || names.contains($0.name) || $0.mask.contains(.overflow) })
        else { return }
        watchFiles()
        changed(location.read())
    }

    func close() {
        if let watch { loop.forget(watch) }
        watch = nil
        try? files.descriptor.close()
    }
}
