import Kernel
import NixBinaryCache
import NixStore
import Synchronization
import Testing

/// Debian's `nix-daemon` with a store of its own, started and ended by each test.
@Suite struct DebianDaemonTests {
    /// The running daemon.
    private final class Daemon: Sendable {
        let nix: DebianNix
        private let process: Subprocess

        init(configuration: String = "") throws {
            nix = try DebianNix(configuration: configuration)
            let null = try FileDescriptor.open("/dev/null", .readWrite)
            var configuration = Subprocess.Configuration(
                "/usr/bin/nix-daemon", arguments: ["nix-daemon", "--store", "\(nix.root)/store"],
                environment: nix.environment)
            configuration.descriptors = [0: null, 1: null, 2: null]
            configuration.startsProcessGroup = true
            process = try Subprocess.spawn(configuration)
            // It is there when it answers. One connection at a time: its processes make the new store's database, and two
            // that do so at once get in each other's way.
            while (try? DaemonStore(socket: socket).ping()) == nil {
                guard try process.process.wait(noHang: true) == nil else {
                    throw StoreError(.unreachable, "nix-daemon ended")
                }
                _ = try Kernel.poll([], timeoutMilliseconds: 10)
            }
        }

        deinit {
            // With the processes that it has for its connections.
            try? Processes.send(signal: .kill, to: -process.processID)
            _ = try? process.wait()
        }

        var socket: String { "\(nix.root)/socket" }
    }

    private func withDaemon(
        configuration: String = "", _ body: @escaping @Sendable (Daemon, DaemonStore) throws -> Void
    ) async throws {
        try await onOwnThread {
            let daemon = try Daemon(configuration: configuration)
            try withExtendedLifetime(daemon) { try body(daemon, try DaemonStore(socket: daemon.socket)) }
        }
    }

    @Test func saysWhoItIs() async throws {
        try await withDaemon { _, store in
            let answer = try store.ping()
            #expect(answer.protocolVersion == "1.34")
            #expect(answer.daemonVersion == "2.8.0")
        }
    }

    @Test func objectsInAndOut() async throws {
        try await withDaemon { daemon, store in
            let memory = MemoryStore()
            let first = try memory.addFile("first", String(repeating: "0123456789", count: 500_000))
            let second = try memory.addFile("second", "two", references: [first])
            var copy = ClosureCopy(from: memory, to: store)
            // It has no key for these.
            #expect(throws: StoreError.self) { try copy.run([second]) }
            #expect(try store.allValidPaths().isEmpty)
            copy.checksSignatures = false
            #expect(try copy.run([second]).count == 2)
            #expect(try store.isValid(first))
            #expect(try store.info(of: second)?.references == [first])
            #expect(try store.referrers(of: first) == [second])
            #expect(try store.path(withHashPart: String(first.hashPart)) == first)
            #expect(try store.path(withHashPart: String(repeating: "0", count: 32)) == nil)
            let absent = try memory.addFile("absent", "")
            #expect(try store.validPaths(among: [first, absent]) == [first])
            #expect(try store.info(of: absent) == nil)
            #expect(!(try store.isValid(absent)))

            let back = MemoryStore()
            copy = ClosureCopy(from: store, to: back)
            copy.checksSignatures = false
            try copy.run([second])
            #expect(back.paths == [first, second])
            let verified = try daemon.nix.run(
                "nix-store", "--store", "\(daemon.nix.root)/store", "--verify", "--check-contents")
            #expect(verified.succeeds, "\(verified.errors)")
        }
    }

    @Test func signaturesCount() async throws {
        let key = try SigningKey(generating: "test-1")
        try await withDaemon(configuration: "trusted-public-keys = \(key.publicKey.text)\n") { daemon, store in
            let memory = MemoryStore()
            let signed = try memory.addFile("signed", "one", signedBy: key)
            try ClosureCopy(from: memory, to: store).run([signed])
            #expect(try store.info(of: signed)?.signatures == memory.info(of: signed)?.signatures)
            let other = try SigningKey(generating: "other-1")
            guard let info = try store.info(of: signed) else { throw StoreError(.notFound, "object") }
            let signature = try other.signature(of: info.fingerprint(in: store.directory))
            try store.addSignatures([signature], to: signed)
            #expect(try store.info(of: signed)?.signatures.contains(signature) == true)
            let checked = try daemon.nix.run(
                "nix", "store", "verify", "--store", "\(daemon.nix.root)/store", "--sigs-needed", "2", "--option",
                "trusted-public-keys", "\(key.publicKey.text) \(other.publicKey.text)", store.directory.print(signed))
            #expect(checked.succeeds, "\(checked.errors)")
        }
    }

    @Test func manyAtOnce() async throws {
        try await withDaemon { _, store in
            let memory = MemoryStore()
            var paths: [StorePath] = []
            for index in 0..<40 {
                paths.append(try memory.addFile("o\(index)", "\(index)", references: Set(paths.suffix(2))))
            }
            let additions = paths.compactMap { memory.info(of: $0) }.map { info in
                var rest = MemoryStore.archive(of: "\(info.path.name.dropFirst())")[...]
                return DaemonStore.Addition(info) { limit in
                    defer { rest = rest.dropFirst(limit) }
                    return Array(rest.prefix(limit))
                }
            }
            try store.add(additions, checkSignatures: false)
            #expect(try store.allValidPaths() == Set(paths))
        }
    }

    @Test func addsByContent() async throws {
        try await withDaemon { daemon, store in
            let text = try store.addText(Array("hello".utf8), name: "text")
            let expected = try store.directory.makeTextPath(
                name: "text", hash: Hash(.sha256, of: "hello"), references: [] as [StorePath])
            #expect(text == expected)
            let referring = try store.addText(Array(store.directory.print(text).utf8), name: "more", references: [text])
            #expect(try store.info(of: referring)?.references == [text])
            var rest = Array("flat bytes".utf8)[...]
            let flat = try store.add(name: "flat", method: .flat) { limit in
                defer { rest = rest.dropFirst(limit) }
                return Array(rest.prefix(limit))
            }
            #expect(flat.contentAddress?.hasPrefix("fixed:sha256:") == true)
            #expect(flat.isContentAddressed(in: store.directory))
            var archive = MemoryStore.archive(of: "recursive")[...]
            let tree = try store.add(name: "tree", method: .recursive) { limit in
                defer { archive = archive.dropFirst(limit) }
                return Array(archive.prefix(limit))
            }
            #expect(tree.isContentAddressed(in: store.directory))
            #expect(tree.narHash == Hash(.sha256, of: MemoryStore.archive(of: "recursive")))
        }
    }

    @Test func builds() async throws {
        try await withDaemon { daemon, store in
            // A builtin builder needs neither a shell nor a sandbox.
            let hash = Hash(.sha256, of: "fetched").text(.base16)
            let expression = """
                derivation { name = "fetched"; builder = "builtin:fetchurl"; system = "builtin"; url = "file://${builtins.toFile "source" "fetched"}";
                  outputHash = "\(hash)"; outputHashAlgo = "sha256"; outputHashMode = "flat"; }
                """
            let made = try daemon.nix.run(
                "nix-instantiate", "--store", "\(daemon.nix.root)/store", "-E", expression)
            #expect(made.succeeds, "\(made.errors)")
            let name = made.output.split(separator: "\n").first.map(String.init) ?? ""
            let derivation = try store.directory.parse(name.replacing("\(daemon.nix.root)/store", with: ""))
            let target = store.target(derivation)
            #expect(try store.missing(for: [target]).toBuild == [derivation])
            let results = try store.buildWithResults([target])
            #expect(results.count == 1)
            #expect(results.first?.isSuccess == true, "\(results)")
            let outputs = try store.outputs(of: derivation)
            guard case let output?? = outputs["out"] else { throw StoreError(.notFound, "\(outputs)") }
            #expect(results.first?.outputs["out"] == output)
            #expect(try store.isValid(output))
            #expect(try store.derivers(of: output) == [derivation])
            try store.build([target])
            try store.ensure(output)
            try store.addBuildLog(Array("it went well\n".utf8), of: derivation)

            let wrong = expression.replacing(hash, with: Hash(.sha256, of: "other").text(.base16))
            let bad = try daemon.nix.run("nix-instantiate", "--store", "\(daemon.nix.root)/store", "-E", wrong)
            let badName = bad.output.split(separator: "\n").first.map(String.init) ?? ""
            let badPath = try store.directory.parse(badName.replacing("\(daemon.nix.root)/store", with: ""))
            let error = #expect(throws: StoreError.self) { try store.build([store.target(badPath)]) }
            #expect(error?.reason.contains("hash mismatch") == true)
            // The connection is as good as before.
            #expect(try store.isValid(output))
        }
    }

    @Test func upkeep() async throws {
        try await withDaemon { daemon, store in
            let kept = try store.addText(Array("kept".utf8), name: "kept")
            let link = "\(daemon.nix.root)/result"
            try FileDescriptor.currentDirectory.makeSymbolicLink(link, to: store.directory.print(kept))
            try store.addIndirectRoot(link)
            #expect(try store.roots().contains { $0.link == link && $0.target == kept })
            let memory = MemoryStore()
            let dead = try memory.addFile("dead", "dead")
            // The connection that brings an object protects it, until the daemon's process for it has ended.
            var copy = ClosureCopy(from: memory, to: try DaemonStore(socket: daemon.socket))
            copy.checksSignatures = false
            try copy.run([dead])
            copy = ClosureCopy(from: memory, to: memory)
            let name = store.directory.print(dead)
            var isDead = false
            for _ in 0..<3000 where !isDead {
                isDead = try store.collectGarbage(DaemonCollection(.returnDead)).paths.contains(name)
                if !isDead { _ = try Kernel.poll([], timeoutMilliseconds: 10) }
            }
            #expect(isDead)
            try store.addTemporaryRoot(kept)
            try store.synchronizeWithCollector()
            let answer = try store.collectGarbage(DaemonCollection(.deleteDead))
            #expect(answer.paths.contains(store.directory.print(dead)))
            #expect(answer.freed > 0)
            #expect(try !store.isValid(dead))
            #expect(try store.isValid(kept))
            try store.optimise()
            #expect(try !store.verify(checkingContents: true))
        }
    }

    @Test func substitutesItself() async throws {
        let key = try SigningKey(generating: "test-1")
        let root = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-cache-")
        defer { try? FileDescriptor.currentDirectory.removeTree(root) }
        let settings = "substituters = file://\(root)?want-mass-query=1\ntrusted-public-keys = \(key.publicKey.text)\n"
        try await withDaemon(configuration: settings) { _, store in
            let memory = MemoryStore()
            let object = try memory.addFile("object", "text", signedBy: key)
            try ClosureCopy(from: memory, to: try BinaryCacheStore(CacheAddress("file://\(root)"), creates: true))
                .run([object])
            #expect(try store.substitutable(among: [object]) == [object])
            #expect(try store.missing(for: [store.directory.print(object)]).toSubstitute == [object])
            #expect(try store.validPaths(among: [object], substituting: true) == [object])
            try store.ensure(object)
        }
    }

    @Test func aBadArchiveIsRefused() async throws {
        try await withDaemon { _, store in
            let memory = MemoryStore()
            let path = try memory.addFile("object", "text")
            guard let info = memory.info(of: path) else { throw StoreError(.notFound, "object") }
            for bytes in [MemoryStore.archive(of: "tixt"), Array(MemoryStore.archive(of: "text").dropLast(8))] {
                var rest = bytes[...]
                #expect(throws: StoreError.self) {
                    try store.add(info, checkSignatures: false) { limit in
                        defer { rest = rest.dropFirst(limit) }
                        return Array(rest.prefix(limit))
                    }
                }
            }
            #expect(try store.allValidPaths().isEmpty)
        }
    }
}
