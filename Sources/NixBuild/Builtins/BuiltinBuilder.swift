import Kernel
import NixLocalStore
import NixStore

/// Builders that are part of Nix rather than programs: `builtin:fetchurl`, `builtin:buildenv`, `builtin:unpack-channel`.
struct BuiltinBuilder {
    let derivation: Derivation
    let outputs: [String: StorePath]
    /// Where an output is made.
    let place: (StorePath) -> String
    let store: LocalStore
    let settings: BuildSettings

    var here: FileDescriptor { .currentDirectory }

    func run() throws {
        switch derivation.builder.description {
        case "builtin:fetchurl": try fetch()
        case "builtin:buildenv": try EnvironmentBuilder(builder: self).run()
        case "builtin:unpack-channel": try unpackChannel()
        case let other: throw BuildError(.failed, "unsupported builtin builder '\(other.dropFirst(8))'")
        }
    }

    func attribute(_ name: String) throws -> String {
        guard let value = derivation.environment[ByteString(name)] else {
            throw BuildError(.failed, "attribute '\(name)' missing")
        }
        return value.description
    }

    var output: String {
        get throws {
            guard let path = outputs["out"] else { throw BuildError(.failed, "there is no output 'out'") }
            return place(path)
        }
    }

    // MARK: Files from elsewhere

    private func fetch() throws {
        guard derivation.fixedOutput != nil else {
            throw BuildError(.failed, "'builtin:fetchurl' must be a fixed-output derivation")
        }
        let target = try output
        let address = try attribute("url")
        let unpacks = derivation.environment["unpack"] == "1"
        let isExecutable = derivation.environment["executable"] == "1"
        let file = unpacks ? target + ".download" : target
        let descriptor = try here.open(
            file, [.writeOnly, .create, .exclusive, .noFollow], mode: isExecutable ? 0o755 : 0o644)
        try download(address) { try descriptor.writeAll($0) }
        try descriptor.close()
        if unpacks {
            try Unpacking.archive(of: file, named: address, to: target)
            try here.unlink(file)
            if isExecutable { try here.changeMode(of: target, to: 0o755) }
        }
    }

    private func download(_ address: String, _ sink: ([UInt8]) throws -> Void) throws {
        guard address.hasPrefix("file://") else { return try settings.download(address, sink) }
        let source = try here.open(String(address.dropFirst(7)), .readOnly)
        while true {
            let bytes = try source.read(count: 1 << 18)
            if bytes.isEmpty { return }
            try sink(bytes)
        }
    }

    private func unpackChannel() throws {
        let target = try output
        let name = try attribute("channelName")
        guard !name.contains("/"), !name.isEmpty, name != ".", name != ".." else {
            throw BuildError(.failed, "channelName is not allowed to contain filesystem separators, got '\(name)'")
        }
        let source = try attribute("src")
        try here.makeDirectory(target)
        try Unpacking.tar(store.layout.file(named: source), to: target)
        let entries = try here.entries(of: target)
        guard entries.count == 1, let only = entries.first else {
            throw BuildError(.failed, "channel tarball '\(source)' contains more than one file")
        }
        if only.name != name { try here.rename(target + "/" + only.name, to: target + "/" + name) }
    }
}
