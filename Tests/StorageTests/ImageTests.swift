import Kernel
import OCI
import Storage
import Testing

@Suite struct ResolveTests {
    @Test func namesAndIDs() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small("docker.io/library/debian:12")
        _ = try root.load(image.dockerArchive())
        let images = root.data.images
        let id = try image.id
        for name in [
            "debian:12", "library/debian:12", "docker.io/debian:12", "index.docker.io/library/debian:12",
            id.description, id.hex, String(id.hex.prefix(12)), String(id.hex.prefix(4)), "sha256:\(id.hex.prefix(7))",
        ] {
            #expect(try images.resolve(name).id == id, "\(name)")
        }
        for name in [
            "debian", "debian:13", "quay.io/library/debian:12", "ffff0000ffff", String(repeating: "0", count: 64),
        ] {
            let error = try failure { _ = try images.resolve(name) }
            #expect(error.code == .notFound && error.message.contains(name), "\(name)")
        }
        #expect(try failure { _ = try images.resolve("Not/A/Name!") }.code == .invalidInput)
    }

    @Test func ambiguousPrefix() throws {
        let root = try TemporaryRoot()
        var ids: [Digest] = []
        // Seventeen images: two of them begin with the same digit.
        for number in 0..<17 {
            let image = try TestImage("n\(number)", layers: [], labels: ["number": "\(number)"])
            ids.append(try image.id)
            _ = try root.load(image.dockerArchive())
        }
        let digits = ids.map { String($0.hex.prefix(1)) }
        let double = try #require(digits.first { digit in digits.count { $0 == digit } > 1 })
        #expect(try failure { _ = try root.data.images.resolve(double) }.code == .ambiguous)
        // A name comes before a prefix.
        _ = try root.data.images.tag(ids[3].description, as: ImageReference(double))
        #expect(try root.data.images.resolve(double).id == ids[3])
    }

    @Test func historyHasSizes() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        _ = try root.load(image.dockerArchive())
        let history = try root.data.images.history("small:1")
        #expect(history.map(\.createdBy) == ["step 1", "step 0"])
        #expect(history.map(\.size) == [5, 10])
        #expect(history.map(\.id) == [try image.id, nil])
        #expect(history[0].tags.map(\.familiarName) == ["small:1"])
    }
}

@Suite struct RemoveTests {
    private func root() throws -> TemporaryRoot {
        let root = try TemporaryRoot()
        _ = try root.load(TestImage.small("a:1").dockerArchive())
        return root
    }

    private let unused: (Digest) -> [ImageUse] = { _ in [] }

    @Test func byItsOnlyName() throws {
        let root = try root()
        let image = try root.data.images.resolve("a:1")
        let layers = try root.data.layers.chain(try #require(image.chainID))
        let deletions = try root.data.images.remove("a:1", uses: unused)
        #expect(deletions == [.untagged("a:1"), .deleted(image.id)] + layers.map { .deleted($0.chainID) })
        try root.expectNothing()
    }

    @Test func byOneNameOfSeveral() throws {
        let root = try root()
        _ = try root.data.images.tag("a:1", as: ImageReference("b:1"))
        #expect(try root.data.images.remove("a:1", uses: unused) == [.untagged("a:1")])
        #expect(try root.data.images.resolve("b:1").tags.count == 1)
        #expect(try root.count("layers") == 2)
    }

    @Test func byIDWithSeveralRepositories() throws {
        let root = try root()
        let id = try root.data.images.resolve("a:1").id
        _ = try root.data.images.tag("a:1", as: ImageReference("b:1"))
        let error = try failure { _ = try root.data.images.remove(id.short, uses: unused) }
        #expect(error.code == .conflict)
        #expect(
            error.message
                == "conflict: unable to delete \(id.short) (must be forced) - image is referenced in multiple repositories"
        )
        #expect(try root.data.images.remove(id.short, force: true, uses: unused).count == 5)
        try root.expectNothing()
    }

    @Test func inUse() throws {
        let root = try root()
        let id = try root.data.images.resolve("a:1").id
        let stopped: (Digest) -> [ImageUse] = { _ in [ImageUse(containerID: "0123456789abcdef", isRunning: false)] }
        let running: (Digest) -> [ImageUse] = { _ in [ImageUse(containerID: "0123456789abcdef", isRunning: true)] }
        #expect(
            try failure { _ = try root.data.images.remove("a:1", uses: stopped) }.message
                == "conflict: unable to remove repository reference \"a:1\" (must force) - container 0123456789ab "
                + "is using its referenced image \(id.short)")
        #expect(
            try failure { _ = try root.data.images.remove(id.short, uses: stopped) }.message
                == "conflict: unable to delete \(id.short) (must be forced) - image is being used by stopped container "
                + "0123456789ab")
        #expect(
            try failure { _ = try root.data.images.remove(id.short, force: true, uses: running) }.message
                == "conflict: unable to delete \(id.short) (cannot be forced) - image is being used by running "
                + "container 0123456789ab")
        // By force the name goes, and the image stays for the running container.
        #expect(try root.data.images.remove("a:1", force: true, uses: running) == [.untagged("a:1")])
        #expect(try root.data.images.image(id).tags == [])
        #expect(try root.data.images.remove(id.short, force: true, uses: stopped).first == .deleted(id))
        try root.expectNothing()
    }

    @Test func layersOfAContainerStay() throws {
        let root = try root()
        let image = try root.data.images.resolve("a:1")
        _ = try root.data.containers.create("c1", on: image.chainID)
        _ = try root.data.images.remove(
            "a:1", force: true, uses: { _ in [ImageUse(containerID: "c1", isRunning: false)] })
        #expect(try root.count("layers") == 2)
        let tree = FileTree(root: try root.data.containers.mergedTree(of: "c1"))
        #expect(try tree.status(of: "/etc/top").size == 5)
        try root.data.containers.remove("c1")
        try root.expectNothing()
    }

    @Test func sharedLayersStay() throws {
        let root = try root()
        let lower = try TestImage.small().layers[0]
        _ = try root.load(TestImage("b:1", layers: [lower, tar { try $0.file("b", "b") }]).dockerArchive())
        _ = try root.data.images.remove("a:1", uses: unused)
        #expect(try root.count("layers") == 2)
        #expect(try root.names(in: "content/blobs/sha256").count == 2)
        #expect(try root.load(root.save(["b:1"])).count == 1)
        _ = try root.data.images.remove("b:1", uses: unused)
        try root.expectNothing()
    }

    @Test func prune() throws {
        let root = try root()
        _ = try root.load(TestImage.small("a:1", seed: "newer").dockerArchive())
        #expect(try root.data.images.list().filter(\.isDangling).count == 1)
        let kept = try root.data.images.prune(all: false, uses: { _ in [ImageUse(containerID: "c", isRunning: false)] })
        #expect(kept.deletions == [])
        let first = try root.data.images.prune(all: false, uses: unused)
        #expect(first.deletions.count == 3 && first.freed > 0)
        let second = try root.data.images.prune(all: true, uses: unused)
        #expect(second.deletions.contains(.untagged("a:1")))
        try root.expectNothing()
    }
}
