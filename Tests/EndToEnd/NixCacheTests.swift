import Foundation
import Testing

/// `dhow-nix`'s commands for binary caches, beside Debian's Nix.
@Suite struct NixCacheTests {
    @Test func copySignVerifyAndDescribe() throws {
        let scratch = try ScratchDirectory("nix-cache")
        let root = scratch.path
        let environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "", "HOME": root, "NIX_CONF_DIR": root,
        ]
        func run(_ command: String) throws -> Output {
            try Shell.run(["/bin/bash", "-c", command], environment: environment, directory: root)
        }
        func check(_ command: String) throws -> String {
            let output = try run(command)
            #expect(output.status == 0, "\(command): \(output)")
            return output.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let dhow = Programs.directory + "/dhow-nix"
        let nix = "nix --extra-experimental-features nix-command"
        try "build-users-group =\n".write(toFile: root + "/nix.conf", atomically: true, encoding: .utf8)
        try "hello\n".write(toFile: root + "/file", atomically: true, encoding: .utf8)

        // Keys: one's secret gives the other the same public key.
        _ = try check("\(dhow) key generate-secret --key-name test-1 > secret")
        let publicKey = try check("\(dhow) key convert-secret-to-public < secret")
        #expect(try check("\(nix) key convert-secret-to-public < secret") == publicKey)

        let path = try check("nix-store --store \(root)/store --add file")
        _ = try check("\(nix) copy --from \(root)/store --to file://\(root)/theirs \(path)")
        let target = "'file://\(root)/ours?compression=zstd&write-nar-listing=1'"
        _ = try check("\(dhow) copy --from file://\(root)/theirs --to \(target) \(path)")
        _ = try check("\(dhow) store sign --store file://\(root)/ours -k secret -r \(path)")
        #expect(try check("\(nix) path-info --sigs --store file://\(root)/ours \(path)").contains("test-1:"))
        // Signatures alone, by both.
        _ = try check("cp -a store theirs-again")
        for (program, store) in [(dhow, "store"), (nix, "theirs-again")] {
            let imported = try run("\(program) store copy-sigs -s file://\(root)/ours --store \(root)/\(store) \(path)")
            #expect(imported.status == 0 && imported.stderr.contains("imported"), "\(imported)")
            #expect(try check("\(nix) path-info --sigs --store \(root)/\(store) \(path)").contains("test-1:"))
        }
        let nowhere = try run("\(dhow) store copy-sigs --store \(root)/store \(path)")
        #expect(nowhere.status == 1 && nowhere.stderr.contains("at least one substituter"), "\(nowhere)")
        let verify = "store verify --store file://\(root)/ours --trusted-public-keys '\(publicKey)'"
        _ = try check("\(dhow) \(verify) \(path)")
        #expect(try check("\(dhow) path-info -s --store file://\(root)/ours \(path)").contains(path))
        #expect(try check("\(dhow) store ping --store file://\(root)/ours").contains("Priority: 50"))
        _ = try check("\(nix) copy --from file://\(root)/ours --to \(root)/other \(path)")

        // A damaged cache is found out.
        _ = try check("for f in ours/nar/*; do printf x | dd of=$f bs=1 seek=20 conv=notrunc status=none; done")
        let damaged = try run("\(dhow) \(verify) \(path)")
        #expect(damaged.status == 1)
        #expect(damaged.stderr.contains("corrupt"))
        let refused = try run("\(dhow) copy --from file://\(root)/ours --to file://\(root)/third \(path)")
        #expect(refused.status == 1)
        #expect(try check("ls third") == "nix-cache-info")
        let wrong = try run("\(dhow) copy --to ftp://nowhere \(path)")
        #expect(wrong.status == 1)
    }
}
