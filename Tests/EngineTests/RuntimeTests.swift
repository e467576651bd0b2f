import Engine
import EngineModel
import Glibc
import Kernel
import Logging
import NIOCore
import Testing

/// The whole engine with the real runtime, on a data root of its own. Needs root, the built `dhow-runtime` (in `bin`, or
/// where `DHOW_RUNTIME` says) and a static busybox.
@Suite(.enabled(if: Workshop.runtime != nil && getuid() == 0), .serialized)
final class RuntimeTests {
    private let workshop = Workshop()

    @Test func aContainerRunsFromAttachToRemoval() async throws {
        let engine = try await workshop.open()
        try await workshop.makeImage(engine)
        let made = try await workshop.create(engine, ["sh", "-c", "cat; echo bad >&2; exit 3"]) {
            $0.config.openStdin = true
            $0.config.stdinOnce = true
            $0.hostConfig?.autoRemove = true
        }
        var options = AttachOptions()
        options.stream = true
        options.stdin = true
        options.stdout = true
        options.stderr = true
        // As a client does it: attached and waiting before the start.
        let stream = try #require(try await engine.attach(made, options).stream)
        let exit = try await engine.wait(made, .nextExit)
        let removal = try await engine.wait(made, .removed)
        try await engine.startContainer(made)
        let text = "hello"
        #expect(send(stream.descriptor, text, text.utf8.count, 0) == text.utf8.count)
        shutdown(stream.descriptor, Int32(SHUT_WR))
        #expect(try await exit.value().statusCode == 3)
        #expect(try await removal.value().statusCode == 3)
        let frames = try await workshop.readAll(stream.descriptor)
        #expect(
            frames == [1, 0, 0, 0, 0, 0, 0, 5] + Array("hello".utf8) + [2, 0, 0, 0, 0, 0, 0, 4] + Array("bad\n".utf8))
        // The image's anonymous volume went with it.
        #expect(try await engine.volumes(Filters()).volumes.isEmpty)
        #expect(workshop.remains().isEmpty)
        await engine.close()
    }

    @Test func whatCannotStartLeavesNothingBehind() async throws {
        let engine = try await workshop.open()
        try await workshop.makeImage(engine)
        for (command, code) in [("/missing", Int32(127)), ("/etc/passwd", 126)] {
            let made = try await workshop.create(engine, [command]) { $0.hostConfig?.autoRemove = true }
            let error = await #expect(throws: EngineError.self) { try await engine.startContainer(made) }
            #expect(error?.exitCode == code)
        }
        #expect(try await engine.containers(workshop.all).isEmpty)
        #expect(workshop.remains().isEmpty)
        await #expect(throws: EngineError.self) {
            try await workshop.create(engine, ["true"]) { $0.hostConfig?.networkMode = "container:missing" }
        }
        await #expect(throws: EngineError.self) {
            try await workshop.create(engine, ["true"]) {
                $0.config.user = ""
                $0.hostConfig?.binds = ["x"]
            }
        }
        #expect(workshop.remains().isEmpty)
        await engine.close()
    }

    @Test func runningContainersAreFoundAgain() async throws {
        var engine = try await workshop.open()
        try await workshop.makeImage(engine)
        let runs = try await workshop.create(
            engine, ["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"])
        let ends = try await workshop.create(engine, ["sh", "-c", "sleep 1; exit 42"])
        let killed = try await workshop.create(engine, ["sleep", "1000"])
        for id in [runs, ends, killed] { try await engine.startContainer(id) }
        await engine.close()
        workshop.killMonitor(of: killed)
        try await Task.sleep(for: .seconds(2))
        engine = try await workshop.open()
        #expect(try await engine.inspectContainer(runs, size: false).state.running)
        let exited = try await engine.inspectContainer(ends, size: false).state
        #expect(exited.status == "exited" && exited.exitCode == 42)
        #expect(try await engine.wait(ends, .notRunning).value().statusCode == 42)
        let dead = try await engine.inspectContainer(killed, size: false).state
        #expect(dead.status == "dead" && !dead.error.isEmpty)
        try await engine.killContainer(runs, signal: "KILL")
        var options = LogOptions()
        options.stdout = true
        var log = ""
        for try await chunk in try await engine.logs(runs, options).stream {
            var chunk = chunk
            while let header = chunk.readBytes(length: 8) { log += chunk.readString(length: Int(header[7])) ?? "" }
        }
        let numbers = log.split(separator: "\n").compactMap { Int($0) }
        #expect(numbers == Array(0..<numbers.count) && numbers.count > 10)
        for id in [runs, ends, killed] { try await engine.removeContainer(id, force: true, removesVolumes: true) }
        #expect(workshop.remains().isEmpty)
        await engine.close()
    }

    @Test func execsAndTheirExitCodes() async throws {
        let engine = try await workshop.open()
        try await workshop.makeImage(engine)
        let made = try await workshop.create(engine, ["sleep", "1000"])
        try await engine.startContainer(made)
        var request = ExecCreateRequest()
        request.cmd = ["sh", "-c", "echo $X; exit 7"]
        request.env = ["X=value"]
        request.attachStdout = true
        let exec = try await engine.createExec(made, request)
        let stream = try #require(try await engine.startExec(exec, ExecStartRequest()))
        #expect(try await workshop.readAll(stream.descriptor) == [1, 0, 0, 0, 0, 0, 0, 6] + Array("value\n".utf8))
        #expect(try await engine.inspectExec(exec).exitCode == 7)
        await #expect(throws: EngineError.self) { try await engine.startExec(exec, ExecStartRequest()) }
        try await engine.stopContainer(made, signal: "", timeout: 0)
        await #expect(throws: EngineError.self) { try await engine.createExec(made, request) }
        try await engine.removeContainer(made, force: false, removesVolumes: true)
        #expect(workshop.remains().isEmpty)
        await engine.close()
    }
}

/// A place for one test's engine.
final class Workshop: Sendable {
    static let runtime: String? = {
        let candidates = [getenv("DHOW_RUNTIME").map { String(cString: $0) }, "bin/dhow-runtime"].compactMap { $0 }
        guard access("/bin/busybox", X_OK) == 0 else { return nil }
        return candidates.first { access($0, X_OK) == 0 }.map { path in
            guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
            defer { free(directory) }
            return String(cString: directory) + "/" + path
        }
    }()

    let path = "/tmp/dhow-engine-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    private var cgroup: String { "/" + path.split(separator: "/")[1] }

    deinit {
        try? FileDescriptor.currentDirectory.removeTree(path)
        for hierarchy in (try? FileDescriptor.currentDirectory.entries(of: "/sys/fs/cgroup").map(\.name)) ?? [] {
            rmdir("/sys/fs/cgroup/\(hierarchy)\(cgroup)")
        }
    }

    func open() async throws -> ContainerEngine {
        var configuration = EngineConfiguration()
        configuration.dataRoot = path + "/data"
        configuration.execRoot = path + "/run"
        configuration.runtimePath = Self.runtime ?? ""
        configuration.cgroupParent = cgroup
        configuration.isDurable = false
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try await ContainerEngine.open(configuration, logger: logger)
    }

    func makeImage(_ engine: ContainerEngine) async throws {
        let root = path + "/root"
        let made = system(
            """
            mkdir -p \(root)/bin \(root)/etc \(root)/data && cp /bin/busybox \(root)/bin/ && \
            for name in sh cat sleep true id; do ln -sf busybox \(root)/bin/$name; done && \
            echo root:x:0:0:root:/root:/bin/sh > \(root)/etc/passwd && tar -C \(root) -cf \(path)/root.tar .
            """)
        try #require(made == 0)
        let bytes = try FileDescriptor.open(path + "/root.tar", .readOnly).readAll()
        var options = ImageImportOptions()
        options.repository = "test"
        options.changes = ["VOLUME /data"]
        let input = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
            continuation.yield(ByteBuffer(bytes: bytes))
            continuation.finish()
        }
        for try await _ in try await engine.importImage(from: input, options: options) {}
    }

    func create(
        _ engine: ContainerEngine, _ command: [String], _ change: (inout ContainerCreateRequest) -> Void = { _ in }
    ) async throws -> String {
        var request = ContainerCreateRequest()
        request.config.image = "test"
        request.config.cmd = command
        request.hostConfig = HostConfig()
        request.hostConfig?.networkMode = "none"
        change(&request)
        return try await engine.createContainer(request, name: "", platform: "").id
    }

    var all: ContainerListOptions {
        var options = ContainerListOptions()
        options.all = true
        return options
    }

    /// Everything up to the end. Waits without blocking: a test holds a thread of the cooperative pool, which the engine
    /// needs.
    func readAll(_ descriptor: CInt) async throws -> [UInt8] {
        defer { Glibc.close(descriptor) }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<2000 {
            let count = read(descriptor, &chunk, chunk.count)
            if count > 0 {
                bytes += chunk[..<count]
            } else if count < 0, errno == EAGAIN {
                try await Task.sleep(for: .milliseconds(10))
            } else {
                return bytes
            }
        }
        return bytes
    }

    /// Kills the one process whose command line names the container's own directory.
    func killMonitor(of id: String) {
        let here = FileDescriptor.currentDirectory
        for name in ((try? here.entries(of: "/proc")) ?? []).map(\.name) {
            guard let process = pid_t(name), process != getpid(),
                let line = try? FileDescriptor.open("/proc/\(name)/cmdline", .readOnly).readAll(),
                String(decoding: line, as: UTF8.self).split(separator: "\0").contains("\(path)/run/containers/\(id)")
            else { continue }
            kill(process, SIGKILL)
        }
    }

    /// What is left of containers: files, volumes, mounts, cgroups.
    func remains() -> [String] {
        let here = FileDescriptor.currentDirectory
        var found: [String] = []
        for folder in ["/data/containers", "/run/containers", "/data/volumes"] {
            found += ((try? here.entries(of: path + folder)) ?? []).map { "\(folder)/\($0.name)" }
        }
        for hierarchy in (try? here.entries(of: "/sys/fs/cgroup")) ?? [] {
            let directory = "/sys/fs/cgroup/\(hierarchy.name)\(cgroup)"
            found += ((try? here.entries(of: directory)) ?? []).filter { $0.type == .directory }.map(\.name)
        }
        if let mounts = try? FileDescriptor.open("/proc/self/mounts", .readOnly).readAll() {
            found += String(decoding: mounts, as: UTF8.self).split(separator: "\n").map(String.init)
                .filter { $0.contains(path) }
        }
        return found
    }
}
