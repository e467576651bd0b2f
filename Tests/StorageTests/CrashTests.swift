import Glibc
import Kernel
import OCI
import Storage
import Testing

/// A process that loads, saves and removes is killed at random moments; whoever opens the data root next finds whole
/// images or none.
@Suite(.serialized) struct CrashTests {
    private static let variable = "DHOW_STORAGE_CRASH_ROOT"

    @Test(.timeLimit(.minutes(5))) func killedAtRandomMoments() throws {
        guard getenv(Self.variable) == nil else { return }
        let scratch = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-crash-")
        defer { try? FileDescriptor.currentDirectory.removeTree(scratch) }
        let here = FileDescriptor.currentDirectory
        let image = try TestImage(
            "crash:1",
            layers: (0..<3).map { layer in
                try tar { writer in
                    for number in 0..<60 { try writer.file("l\(layer)-\(number)", "content \(number)") }
                }
            }, compression: .gzip)
        try here.writeFile("\(scratch)/archive", image.dockerArchive(), creating: true)
        let path = "\(scratch)/root"
        var found = 0
        for round in 0..<20 {
            // This very program, running nothing but the loop below.
            var child = Subprocess.Configuration(
                "/proc/self/exe",
                arguments: [
                    CommandLine.arguments[0], "--testing-library", "swift-testing", "--filter", "CrashTests/theLoop",
                ], environment: ["PATH=/usr/bin:/bin", "\(Self.variable)=\(scratch)"])
            let silence = try FileDescriptor.open("/dev/null", .readWrite)
            child.descriptors = [0: silence, 1: silence, 2: silence]
            let process = try Subprocess.spawn(child)
            // Until it has begun to work.
            for _ in 0..<600 where !here.exists("\(scratch)/working") { usleep(50_000) }
            #expect(here.exists("\(scratch)/working"), "the child never came to its loop")
            usleep(UInt32.random(in: 0..<700_000))
            try process.send(signal: .kill)
            _ = try process.wait()
            try here.unlinkIfPresent("\(scratch)/working")

            let lock = try DataRoot.prepare(path)
            let database = try DataRoot.openDatabase(at: path)
            var options = DataRoot.Options()
            options.durability = .none
            let data = try DataRoot(path: path, database: database, options: options)
            let images = try data.images.list()
            if let loaded = images.first {
                found += 1
                #expect(images.count == 1)
                #expect(loaded.image.id == (try image.id))
                // All of it is there, and right: its layers as files, its blobs by digest.
                for layer in try data.layers.chain(try #require(loaded.image.chainID)) {
                    #expect(try here.entries(of: layer.directory).count == 60, "round \(round)")
                }
                let output = try FileDescriptor.open("\(scratch)/saved", [.readWrite, .create, .truncate])
                try data.images.save([loaded.image.id.description], to: output)
            }
            for container in try data.containers.list() {
                _ = try data.containers.mergedTree(of: container)
                try data.containers.remove(container)
            }
            if let loaded = images.first {
                _ = try data.images.remove(loaded.image.id.description, force: true, uses: { _ in [] })
            }
            for folder in ["layers/temp", "layers/trash", "content/temp", "content/blobs/sha256", "containers"] {
                #expect(try here.entries(of: "\(path)/\(folder)").map(\.name) == [], "\(folder), round \(round)")
            }
            #expect(try here.entries(of: "\(path)/layers/overlay2").map(\.name) == ["empty"], "round \(round)")
            try database.close()
            try lock.close()
        }
        print("\(found) of 20 kills left a whole image")
    }

    /// Only in the child of the test above.
    @Test func theLoop() throws {
        guard let scratch = getenv(Self.variable).map({ String(cString: $0) }) else { return }
        let lock = try DataRoot.prepare("\(scratch)/root")
        let database = try DataRoot.openDatabase(at: "\(scratch)/root")
        let data = try DataRoot(path: "\(scratch)/root", database: database)
        try FileDescriptor.currentDirectory.writeFile("\(scratch)/working", "", creating: true)
        while true {
            let loaded = try data.images.load(from: FileDescriptor.open("\(scratch)/archive"))
            let image = try data.images.image(loaded[0].id)
            _ = try data.containers.create("c1", on: image.chainID)
            try data.containers.remove("c1")
            _ = try data.images.remove("crash:1", uses: { _ in [] })
        }
        withExtendedLifetime(lock) {}
    }
}
