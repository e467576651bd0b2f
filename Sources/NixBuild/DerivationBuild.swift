import JSON
import Kernel
import NixLocalStore
import NixStore
import OCI

/// One derivation's build, from its locks to its registered outputs.
struct DerivationBuild {
    let path: StorePath
    let derivation: Derivation
    let store: LocalStore
    let settings: BuildSettings
    let isCancelled: () -> Bool
    let report: (BuildEvent) -> Void

    var directory: StoreDirectory { store.directory }
    var here: FileDescriptor { .currentDirectory }
    var name: String { directory.print(path) }

    /// Makes the outputs valid; what another process has made meanwhile is taken as it is.
    func run() throws {
        do { try locked() } catch let error as KernelError {
            let isFull = error.code == .noSpace || error.code == .quotaExceeded
            throw BuildError(
                .failed, "building '\(name)': \(error)" + (isFull ? "; make room with 'dhow nix gc'" : ""))
        }
    }

    private func locked() throws {
        var outputs: [String: StorePath] = [:]
        for output in derivation.outputs.keys {
            guard let object = try derivation.path(of: output, in: directory) else {
                throw BuildError(
                    .cannotBuild, "cannot build '\(name)': the path of its output '\(output)' is not known")
            }
            try store.addTemporaryRoot(object)
            outputs[output] = object
        }
        try store.addTemporaryRoot(path)
        let locks = try store.lock(Array(outputs.values)) { report(.waiting(for: $0)) }
        try withExtendedLifetime(locks) {
            let valid = try store.validPaths(among: outputs.values)
            switch settings.mode {
            case .normal: if valid.count == outputs.count { return }
            case .check:
                guard valid.count == outputs.count else {
                    throw BuildError(
                        .cannotBuild, "some outputs of '\(name)' are not valid, so checking is not possible")
                }
            case .repair: break
            }
            for object in outputs.values where !valid.contains(object) {
                try here.removeTree(store.layout.file(object))
            }
            try refuseOtherPlatforms()
            report(.building(path, mode: settings.mode))
            try build(outputs)
            try settings.hooks.built(path, Array(outputs.values), in: directory, report: report)
            report(.built(path))
        }
    }

    private var isBuiltin: Bool { derivation.builder.description.hasPrefix("builtin:") }

    private func refuseOtherPlatforms() throws {
        let attributes = try StructuredAttributes(derivation)
        let features = Set(derivation.strings("requiredSystemFeatures", attributes))
        let system = derivation.system.description
        let isPossible =
            system == settings.system || settings.extraPlatforms.contains(system)
            || system == "builtin" && isBuiltin
        guard isPossible, features.isSubset(of: settings.systemFeatures) else {
            func list(_ features: Set<String>) -> String { "{\(features.sorted().joined(separator: ", "))}" }
            throw BuildError(
                .cannotBuild,
                "a '\(system)' with features \(list(features)) is required to build '\(name)', but I am a "
                    + "'\(settings.system)' with features \(list(settings.systemFeatures))")
        }
    }

    /// What the builder may read.
    private func inputClosure() throws -> Set<StorePath> {
        var inputs = derivation.inputSources
        for (input, names) in derivation.inputDerivations {
            let derivation = try store.derivation(at: input)
            for name in names {
                guard let object = try derivation.path(of: name, in: directory) else {
                    throw BuildError(
                        .failed,
                        "derivation '\(self.name)' requires non-existent output '\(name)' from input derivation "
                            + "'\(directory.print(input))'")
                }
                inputs.insert(object)
            }
        }
        return try store.closure(of: inputs)
    }

    private func build(_ outputs: [String: StorePath]) throws {
        let inputs = try inputClosure()
        var attributes = try StructuredAttributes(derivation)
        let graph = ReferencesGraph(store: store, inputs: inputs, derivationName: derivation.name)
        var graphs: [String: [UInt8]] = [:]
        if attributes == nil { graphs = try graph.files(derivation) }
        if let known = attributes {
            attributes?.complete(outputs: outputs.mapValues(directory.print), graphs: try graph.members(known))
        }
        let work = BuildWorkspace(build: self, outputs: outputs, inputs: inputs, attributes: attributes, graphs: graphs)
        try work.run()
    }
}
