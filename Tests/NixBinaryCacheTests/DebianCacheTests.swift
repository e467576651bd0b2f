import Kernel
import NixBinaryCache
import NixStore
import Testing

/// Caches written by one and read by the other, with Debian's Nix.
@Suite struct DebianCacheTests {
    /// Objects that only a signature vouches for: the last refers to the others.
    private func fill(_ store: MemoryStore, signedBy key: SigningKey? = nil) throws -> StorePath {
        let first = try store.addFile("first", String(repeating: "one ", count: 50_000), signedBy: key)
        let second = try store.addFile("second", "two", references: [first], signedBy: key)
        return try store.addFile("third", "three", references: [first, second], signedBy: key)
    }

    @Test(arguments: ["xz", "zstd", "bzip2", "gzip", "none"])
    func debianReadsOurs(compression: String) async throws {
        let nix = try DebianNix()
        let (cache, root, key) = try await onOwnThread {
            let key = try SigningKey(generating: "test-1")
            try FileDescriptor.currentDirectory.writeFile("\(nix.root)/secret", key.secretText, creating: true)
            let memory = MemoryStore()
            let root = try fill(memory)
            let address = "file://\(nix.root)/cache"
            let parameters = "?compression=\(compression)&secret-key=\(nix.root)/secret&write-nar-listing=1"
            let cache = try BinaryCacheStore(CacheAddress(address + parameters), creates: true)
            let copied = try ClosureCopy(from: memory, to: cache).run([root])
            #expect(copied.count == 3)
            #expect(try ClosureCopy(from: memory, to: cache).run([root]).isEmpty)
            return (address, StoreDirectory().print(root), key)
        }
        let refused = try nix.run("nix", "copy", "--from", cache, "--to", "\(nix.root)/store", root)
        #expect(!refused.succeeds)
        #expect(refused.errors.contains("lacks a valid signature"))
        let taken = try nix.run(
            "nix", "copy", "--from", cache, "--to", "\(nix.root)/store", root, "--option", "trusted-public-keys",
            key.publicKey.text)
        #expect(taken.succeeds, "\(taken.errors)")
        let verified = try nix.run("nix-store", "--store", "\(nix.root)/store", "--verify", "--check-contents")
        #expect(verified.succeeds, "\(verified.errors)")
        let listed = try nix.run("nix", "store", "ls", "--store", cache, "-l", root)
        #expect(listed.output.contains("5"), "\(listed.errors)")
    }

    @Test func weReadDebians() async throws {
        let nix = try DebianNix()
        let chain = try nix.makeStore("store", count: 6)
        let tree = try nix.addTree("store")
        let generated = try nix.run(
            "nix-store", "--generate-binary-cache-key", "debian-1", "\(nix.root)/secret", "\(nix.root)/public")
        #expect(generated.succeeds)
        let publicKey = try FileDescriptor.currentDirectory.readText("\(nix.root)/public")
        let secret = try FileDescriptor.currentDirectory.readText("\(nix.root)/secret")
        #expect(try SigningKey(parsing: secret).publicKey.text == publicKey)
        #expect(try SigningKey(parsing: secret).secretText == secret)

        // Objects that need a signature come from us, and are signed by Debian's.
        let root = try await onOwnThread {
            let memory = MemoryStore()
            let root = try fill(memory)
            let cache = try BinaryCacheStore(CacheAddress("file://\(nix.root)/unsigned"), creates: true)
            try ClosureCopy(from: memory, to: cache).run([root])
            return root
        }
        let name = StoreDirectory().print(root)
        let taken = try nix.run(
            "nix", "copy", "--no-check-sigs", "--from", "file://\(nix.root)/unsigned", "--to", "\(nix.root)/store", name
        )
        #expect(taken.succeeds, "\(taken.errors)")
        let signed = try nix.run(
            "nix", "store", "sign", "--store", "\(nix.root)/store", "-k", "\(nix.root)/secret", "-r", name)
        #expect(signed.succeeds, "\(signed.errors)")
        for compression in ["xz", "zstd", "bzip2", "gzip", "none"] {
            let directory = "\(nix.root)/cache-\(compression)"
            let written = try nix.run(
                "nix", "copy", "--from", "\(nix.root)/store", "--to", "file://\(directory)?compression=\(compression)",
                name, StoreDirectory().print(tree), StoreDirectory().print(chain[0]))
            #expect(written.succeeds, "\(written.errors)")
            try await onOwnThread {
                let cache = try BinaryCacheStore(CacheAddress("file://\(directory)"))
                let strict = MemoryStore(trustedKeys: try TrustedKeys(parsing: publicKey))
                try ClosureCopy(from: cache, to: strict).run([root, tree, chain[0]])
                #expect(strict.paths.count == 3 + 1 + 6)
                let stranger = MemoryStore(
                    trustedKeys: try TrustedKeys(parsing: try SigningKey(generating: "x").publicKey.text))
                #expect(throws: StoreError.self) { try ClosureCopy(from: cache, to: stranger).run([root]) }
                #expect(stranger.paths.isEmpty)
            }
        }
    }

    /// Both read and write the same file of remembered answers.
    @Test func debianSharesOurMemory() async throws {
        let nix = try DebianNix()
        let path = "\(nix.root)/home/.cache/nix/binary-cache-v6.sqlite"
        try await onOwnThread {
            let memory = MemoryStore()
            let key = try SigningKey(generating: "test-1")
            let root = try fill(memory, signedBy: key)
            let writer = try BinaryCacheStore(CacheAddress("file://\(nix.root)/cache"), creates: true)
            try ClosureCopy(from: memory, to: writer).run([root])
            let server = try CacheServer { request in
                guard
                    let bytes = try? FileDescriptor.currentDirectory.readFile("\(nix.root)/cache\(request.path)")
                else { return .status(404) }
                return .file(bytes)
            }
            defer { server.stop() }
            // Nix asks and remembers; we do not ask again.
            let name = StoreDirectory().print(root)
            let asked = try nix.run("nix", "path-info", "-r", "--store", server.address, name)
            #expect(asked.succeeds, "\(asked.errors)")
            let before = server.requests.count
            #expect(before >= 4)
            let absent = try memory.addFile("absent", "")
            let cache = try BinaryCacheStore(
                CacheAddress(server.address), disk: try NarInfoDiskCache(path))
            #expect(try cache.info(of: root)?.signatures == memory.info(of: root)?.signatures)
            #expect(try cache.info(of: root)?.references == memory.info(of: root)?.references)
            #expect(server.requests.count == before)
            // We ask for what is not there and remember; Nix does not ask again.
            #expect(try cache.info(of: absent) == nil)
            #expect(server.requests.count == before + 1)
            let missing = try nix.run(
                "nix", "path-info", "--store", server.address, StoreDirectory().print(absent))
            #expect(!missing.succeeds)
            #expect(server.requests.count == before + 1)
        }
    }
}
