import Kernel
import NixBinaryCache
import NixStore
import Synchronization
import Testing

@Suite struct SubstituterTests {
    private func serve(_ directory: String) throws -> CacheServer {
        try CacheServer { request in
            guard let bytes = try? FileDescriptor.currentDirectory.readFile(directory + request.path) else {
                return .status(404)
            }
            return .file(bytes)
        }
    }

    /// A directory that is removed afterwards.
    private func withDirectory(_ body: @escaping @Sendable (String) throws -> Void) async throws {
        try await onOwnThread {
            let root = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-cache-")
            defer { try? FileDescriptor.currentDirectory.removeTree(root) }
            try body(root)
        }
    }

    private func cache(_ directory: String, _ parameters: String = "") throws -> BinaryCacheStore {
        try BinaryCacheStore(CacheAddress("file://\(directory)\(parameters)"), creates: true)
    }

    @Test func manyObjectsInOrder() async throws {
        try await withDirectory { root in
            let memory = MemoryStore()
            let key = try SigningKey(generating: "test-1")
            var paths: [StorePath] = []
            for index in 0..<60 {
                let references = Set(paths.suffix(3) + paths.prefix(index % 7))
                paths.append(try memory.addFile("o\(index)", "\(index)", references: references, signedBy: key))
            }
            let written = try cache("\(root)/cache", "?compression=zstd")
            try ClosureCopy(from: memory, to: written).run([paths[59]])
            let server = try serve("\(root)/cache")
            defer { server.stop() }
            let destination = MemoryStore()
            let remote = try BinaryCacheStore(CacheAddress(server.address))
            let plan = try Substituter([remote], trustedKeys: TrustedKeys([key.publicKey]))
                .substitute([paths[59]], into: destination)
            #expect(destination.paths == Set(paths))
            #expect(plan.toFetch.count == 60)
            #expect(plan.downloadSize > 0)
        }
    }

    @Test func anotherCacheHelps() async throws {
        try await withDirectory { root in
            let memory = MemoryStore()
            let key = try SigningKey(generating: "test-1")
            let path = try memory.addFile("object", "text", signedBy: key)
            let bad = try cache("\(root)/bad", "?compression=none&priority=10")
            let good = try cache("\(root)/good", "?compression=none&priority=20")
            for cache in [bad, good] { try ClosureCopy(from: memory, to: cache).run([path]) }
            guard let url = try bad.narInfo(of: path)?.url else { throw StoreError(.notFound, "description") }
            let file = "\(root)/bad/\(url)"
            var bytes = try FileDescriptor.currentDirectory.readFile(file)
            bytes[100] ^= 1
            try FileDescriptor.currentDirectory.replaceFile(file, with: bytes)
            let destination = MemoryStore()
            let problems = Problems()
            var substituter = Substituter([good, bad], trustedKeys: TrustedKeys([key.publicKey]))
            #expect(substituter.caches.first?.address.description == "file://\(root)/bad")
            substituter.onProblem = { problems.add($0) }
            let events = Problems()
            substituter.onEvent = { event in
                switch event {
                case .began: events.add("began")
                case .failed: events.add("failed")
                case .finished: events.add("finished")
                case .planned, .copied: break
                }
            }
            try substituter.substitute([path], into: destination)
            #expect(destination.paths == [path])
            // What began ends, one way or the other.
            #expect(events.all == ["began", "failed", "began", "finished"])
            #expect(problems.all.contains { $0.contains("corrupt") })
        }
    }

    @Test func aCopyThatFailsIsSaidToHaveEnded() async throws {
        try await withDirectory { root in
            let memory = MemoryStore()
            let path = try memory.addFile("object", "text")
            let written = try cache("\(root)/cache", "?compression=none")
            try ClosureCopy(from: memory, to: written).run([path])
            guard let url = try written.narInfo(of: path)?.url else { throw StoreError(.notFound, "description") }
            try FileDescriptor.currentDirectory.unlink("\(root)/cache/\(url)")
            let events = Problems()
            var copy = ClosureCopy(from: written, to: MemoryStore())
            copy.checksSignatures = false
            copy.onEvent = { event in
                switch event {
                case .began: events.add("began")
                case .failed(let info): events.add("failed \(info.path.name)")
                case .finished: events.add("finished")
                case .planned, .copied: break
                }
            }
            let unfinished = copy
            #expect(throws: StoreError.self) { try unfinished.run([path]) }
            #expect(events.all == ["began", "failed object"])
        }
    }

    @Test func saysWhatCannotBeHad() async throws {
        try await withDirectory { root in
            let memory = MemoryStore()
            let base = try memory.addFile("base", "base")
            let top = try memory.addFile("top", "top", references: [base])
            let absent = try memory.addFile("absent", "absent")
            let written = try cache("\(root)/cache")
            try ClosureCopy(from: memory, to: written).run([top])
            let name = "\(root)/cache/\(base.hashPart).narinfo"
            try FileDescriptor.currentDirectory.unlink(name)
            var substituter = Substituter([try cache("\(root)/cache")], trustedKeys: TrustedKeys())
            substituter.requiresSignatures = false
            let destination = MemoryStore()
            let plan = try substituter.substitute([top, absent], into: destination)
            #expect(plan.unavailable.keys.sorted() == [base, absent].sorted())
            #expect(plan.blocked == [top])
            #expect(destination.paths.isEmpty)
        }
    }

    @Test func trustedCachesNeedNoSignature() async throws {
        try await withDirectory { root in
            let memory = MemoryStore()
            let path = try memory.addFile("object", "text")
            try ClosureCopy(from: memory, to: try cache("\(root)/cache")).run([path])
            let plain = try Substituter([try cache("\(root)/cache")], trustedKeys: TrustedKeys())
                .plan([path], into: MemoryStore())
            #expect(plain.unavailable[path]?.contains("lacks a signature") == true)
            let trusting = try Substituter([try cache("\(root)/cache", "?trusted=1")], trustedKeys: TrustedKeys())
                .plan([path], into: MemoryStore())
            #expect(trusting.toFetch.keys.sorted() == [path])
        }
    }

    @Test func remembersAnswersForAWhile() async throws {
        try await withDirectory { root in
            let memory = MemoryStore()
            let path = try memory.addFile("object", "text")
            let absent = try memory.addFile("absent", "text")
            try ClosureCopy(from: memory, to: try cache("\(root)/cache")).run([path])
            let server = try serve("\(root)/cache")
            defer { server.stop() }
            func ask(at time: Int64) throws -> Int {
                let before = server.requests.count
                let disk = try NarInfoDiskCache("\(root)/memory.sqlite", now: { time })
                let cache = try BinaryCacheStore(CacheAddress(server.address), disk: disk)
                #expect(try cache.info(of: path)?.narHash == memory.info(of: path)?.narHash)
                #expect(try cache.info(of: absent) == nil)
                return server.requests.count - before
            }
            #expect(try ask(at: 1_000_000) == 3)
            #expect(try ask(at: 1_000_010) == 0)
            // What is not there may come sooner than what is there goes.
            #expect(try ask(at: 1_000_000 + 3700) == 1)
            #expect(try ask(at: 1_000_000 + 31 * 86_400) == 3)
        }
    }

    @Test func sendsToAServer() async throws {
        try await withDirectory { root in
            let server = try CacheServer { request in
                let path = root + "/served" + request.path
                if request.method == "PUT" {
                    let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
                    guard (try? FileDescriptor.currentDirectory.makeDirectories(folder)) != nil,
                        (try? FileDescriptor.currentDirectory.replaceFile(path, with: request.body)) != nil
                    else { return .status(500) }
                    return .status(201)
                }
                guard let bytes = try? FileDescriptor.currentDirectory.readFile(path) else { return .status(404) }
                return .file(bytes)
            }
            defer { server.stop() }
            var settings = TransferSettings()
            settings.stagingDirectory = root + "/staging"
            let memory = MemoryStore()
            let base = try memory.addFile("base", String(repeating: "base", count: 200_000))
            let top = try memory.addFile("top", "top", references: [base])
            let written = try BinaryCacheStore(
                CacheAddress(server.address + "/deep?compression=none"), settings: settings, creates: true)
            try ClosureCopy(from: memory, to: written).run([top])
            var copy = ClosureCopy(
                from: try BinaryCacheStore(CacheAddress("file://\(root)/served/deep")), to: MemoryStore())
            copy.checksSignatures = false
            #expect(try copy.run([top]).count == 2)
            #expect(try FileDescriptor.currentDirectory.entries(of: root + "/staging").isEmpty)
        }
    }

    @Test func aBadSourceLeavesNothing() async throws {
        try await withDirectory { root in
            let memory = MemoryStore()
            let path = try memory.addFile("object", "text")
            guard var info = memory.info(of: path) else { throw StoreError(.notFound, "object") }
            let written = try cache("\(root)/cache")
            for change in 0..<3 {
                var bytes = MemoryStore.archive(of: "text")
                switch change {
                case 0: bytes[97] ^= 1
                case 1: bytes.removeLast(8)
                default: bytes += [0, 0, 0, 0, 0, 0, 0, 0]
                }
                if change == 2 { info.narSize += 8 }
                var rest = bytes[...]
                #expect(throws: StoreError.self) {
                    try written.add(info, checkSignatures: false) { limit in
                        defer { rest = rest.dropFirst(limit) }
                        return Array(rest.prefix(limit))
                    }
                }
            }
            let names = try FileDescriptor.currentDirectory.entries(of: "\(root)/cache").map(\.name)
            #expect(names == ["nix-cache-info"])
        }
    }

    @Test(arguments: ["ftp://x", "file://relative", "https://host?compresion=xz", "https://host?compression"])
    func wrongAddresses(_ text: String) {
        #expect(throws: StoreError.self) { try CacheAddress(text) }
    }
}

/// What went wrong, from several threads.
final class Problems: Sendable {
    private let list = Mutex<[String]>([])
    var all: [String] { list.withLock { $0 } }
    func add(_ text: String) { list.withLock { $0.append(text) } }
}
