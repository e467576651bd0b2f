import Kernel
import NixLocalStore
import NixStore

/// A directory with a store of its own.
final class Place {
    let root: String
    let store: LocalStore

    init() throws {
        root = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "nix-build-tests-")
        store = try LocalStore(.chroot(root))
    }

    deinit { try? FileDescriptor.currentDirectory.removeTree(root) }

    /// An object with a text.
    func text(_ name: String, _ text: String = "", references: Set<StorePath> = []) throws -> StorePath {
        try store.addText(name: name, contents: Array(text.utf8), references: references)
    }

    /// A derivation whose outputs have paths, in the store.
    func derivation(
        _ name: String, inputs: [StorePath] = [], builder: String = "builtin:none"
    ) throws -> StorePath {
        var derivation = Derivation(name: name)
        derivation.system = "builtin"
        derivation.builder = ByteString(builder)
        derivation.environment["name"] = ByteString(name)
        derivation.outputs["out"] = .inputAddressed(
            try store.directory.makeOutputPath(
                output: "out", hash: Hash(.sha256, of: name), derivationName: name))
        for input in inputs { derivation.inputDerivations[input] = ["out"] }
        return try store.addDerivation(derivation)
    }
}
