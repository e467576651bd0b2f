import Kernel
import NixLocalStore
import NixStore
import OCI

/// The places that a build needs while it runs: its root, its temporary directory, its user. They go with it.
struct BuildWorkspace {
    let build: DerivationBuild
    let outputs: [String: StorePath]
    let inputs: Set<StorePath>
    let attributes: StructuredAttributes?
    /// Files for the build directory.
    let graphs: [String: [UInt8]]

    private var settings: BuildSettings { build.settings }
    private var store: LocalStore { build.store }
    private var derivation: Derivation { build.derivation }
    private var here: FileDescriptor { .currentDirectory }

    /// Whether the builder sees the machine's network.
    private var hasNetwork: Bool { derivation.fixedOutput != nil }

    private var isSandboxed: Bool {
        get throws {
            let refuses = derivation.flag("__noChroot", attributes)
            switch settings.sandbox {
            case .on:
                if refuses {
                    throw BuildError(
                        .cannotBuild,
                        "derivation '\(build.name)' has '__noChroot' set, but that's not allowed when 'sandbox' is 'true'"
                    )
                }
                return true
            case .relaxed: return !(refuses || hasNetwork)
            case .off: return false
            }
        }
    }

    func run() throws {
        let user = try BuildUser(group: settings.buildUsersGroup, in: store.layout)
        let temporary = try TemporaryDirectory(
            in: settings.temporaryDirectory, name: "nix-build-\(derivation.name).drv-", layout: store.layout)
        var keeps = false
        defer { if keeps { temporary.keep() } else { temporary.remove() } }
        do {
            try withExtendedLifetime(user) { try run(user, temporary) }
        } catch {
            if settings.keepsFailed, settings.mode != .check, (error as? BuildError)?.code != .cancelled {
                keeps = true
                build.report(.kept(build.path, directory: temporary.path))
                // For whoever looks into it.
                _ = try? here.changeMode(of: temporary.path, to: 0o755)
            }
            throw error
        }
    }

    private func run(_ user: BuildUser, _ temporary: TemporaryDirectory) throws {
        if derivation.builder.description.hasPrefix("builtin:") { return try runBuiltin(temporary.path) }
        if try isSandboxed {
            do { return try runSandboxed(user, temporary.path) } catch let error as SandboxUnavailable {
                guard settings.allowsSandboxFallback, store.layout.objects == store.directory.path else {
                    throw BuildError(
                        .cannotBuild,
                        "cannot make a sandbox for '\(build.name)': \(error.reason); allow user namespaces, or "
                            + "build as root"
                            + (settings.allowsSandboxFallback
                                ? "; without a sandbox the store's files would have to be in \(store.directory.path)"
                                : "; 'sandbox-fallback = true' builds without"))
                }
                build.report(
                    .warning(
                        "building '\(build.name)' without a sandbox, so that the builder sees the whole machine, its "
                            + "network and its users' files as \(Credentials.effectiveUserID == 0 ? "root" : "you"), "
                            + "and the result may depend on them: \(error.reason)"))
                try temporary.clear()
            }
        }
        guard store.layout.objects == store.directory.path else {
            throw BuildError(
                .cannotBuild,
                "building using a diverted store is not supported without a sandbox: '\(store.layout.objects)' would have "
                    + "to be '\(store.directory.path)'")
        }
        try runOnMachine(temporary.path)
    }

    // MARK: Kinds of builds

    private func runSandboxed(_ user: BuildUser, _ temporary: String) throws {
        let environment = try environment(buildDirectory: settings.sandboxBuildDirectory, hasNetwork: hasNetwork)
        try write(environment.files, into: temporary, user)
        if user.isOther {
            try here.changeOwner(of: temporary, userID: user.userID, groupID: user.groupID)
        }
        var root = try SandboxRoot(
            for: build.path, inputs: inputs, user: user, hasNetwork: hasNetwork,
            binds: try binds(settings.sandboxPaths), settings: settings, store: store)
        defer { try? root.remove() }
        try root.add(try binds(try settings.hooks.additions(for: build.name, root: root.path)))
        let sandbox = Sandbox(
            root: root, user: user, buildDirectory: temporary, settings: settings, hasNetwork: hasNetwork,
            isThirtyTwoBit: derivation.system == "i686-linux" && settings.system == "x86_64-linux")
        try runLogged { log in
            try SandboxRun(sandbox: sandbox, settings: settings, isCancelled: build.isCancelled).run(
                try program(environment), log: log)
        }
        try register(owner: user.userID, place: root.file, temporary)
    }

    private func runOnMachine(_ temporary: String) throws {
        guard settings.mode == .normal, try store.validPaths(among: outputs.values).isEmpty else {
            throw BuildError(
                .cannotBuild,
                "cannot build '\(build.name)' without a sandbox, because outputs of it are valid already and would be "
                    + "overwritten")
        }
        let environment = try environment(buildDirectory: temporary, hasNetwork: true)
        try write(environment.files, into: temporary, nil)
        let program = try program(environment)
        var configuration = Subprocess.Configuration(
            program.executable, arguments: program.arguments,
            environment: program.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        configuration.workingDirectory = temporary
        do {
            try runLogged { log in
                try BuilderProcess(settings: settings, isCancelled: build.isCancelled).run(
                    configuration, owner: nil, log: log)
            }
            try register(owner: nil, place: store.layout.file, temporary)
        } catch {
            let valid = try store.validPaths(among: outputs.values)
            for output in outputs.values where !valid.contains(output) {
                try? here.removeTree(store.layout.file(output))
            }
            throw error
        }
    }

    private func runBuiltin(_ temporary: String) throws {
        let root = store.layout.file(build.path) + ".chroot"
        try here.removeTree(root)
        try here.makeDirectory(root, mode: 0o700)
        defer { try? here.removeTree(root) }
        let place: (StorePath) -> String = { root + "/" + $0.baseName }
        let log = try BuildLog(of: build.path, in: store, settings: settings) { build.report(.line(build.path, $0)) }
        do {
            try BuiltinBuilder(
                derivation: derivation, outputs: outputs, place: place, store: store, settings: settings
            ).run()
        } catch {
            try log.write(Array("error: \(error)\n".utf8))
            try log.finish()
            throw BuildError(
                (error as? BuildError)?.code ?? .failed, "builder for '\(build.name)' failed: \(error)")
        }
        try log.finish()
        try register(owner: nil, place: place, temporary)
    }

    // MARK: Parts

    private func environment(buildDirectory: String, hasNetwork: Bool) throws -> BuilderEnvironment {
        try BuilderEnvironment(
            derivation, attributes: attributes, graphs: graphs, buildDirectory: buildDirectory,
            hasNetwork: hasNetwork, settings: settings, in: store.directory)
    }

    private func write(_ files: [String: [UInt8]], into directory: String, _ user: BuildUser?) throws {
        for (name, bytes) in files {
            let file = directory + "/" + name
            try here.writeFile(file, bytes, creating: true)
            if let user, user.isOther {
                try here.changeOwner(of: file, userID: user.userID, groupID: user.groupID)
            }
        }
    }

    private func program(_ environment: BuilderEnvironment) throws -> Sandbox.Program {
        func text(_ value: ByteString, _ what: String) throws -> String {
            let text = value.description
            guard text.utf8.elementsEqual(value.bytes), !value.bytes.contains(0) else {
                throw BuildError(.cannotBuild, "cannot build '\(build.name)': \(what) is not UTF-8")
            }
            return text
        }
        let builder = try text(derivation.builder, "the builder's name")
        var variables: [String: String] = [:]
        for (name, value) in environment.variables {
            variables[name.description] = try text(value, "the environment variable '\(name)'")
        }
        let arguments = try derivation.arguments.map { try text($0, "an argument") }
        return Sandbox.Program(
            executable: builder,
            arguments: [builder.split(separator: "/").last.map(String.init) ?? builder] + arguments,
            environment: variables)
    }

    /// Those of `paths` that there are.
    private func binds(_ paths: [BuildSettings.SandboxPath]) throws -> [SandboxRoot.Bind] {
        try paths.compactMap { path in
            if path.isOptional, try here.statusIfPresent(of: path.outside) == nil { return nil }
            return SandboxRoot.Bind(source: path.outside, target: path.inside, isWritable: true)
        }
    }

    private func runLogged(_ body: (BuildLog) throws -> BuilderProcess.End) throws {
        let log = try BuildLog(of: build.path, in: store, settings: settings) { build.report(.line(build.path, $0)) }
        let end: BuilderProcess.End
        do { end = try body(log) } catch {
            try? log.finish()
            throw error
        }
        try log.finish()
        guard let failure = failure(end, log) else { return }
        throw failure
    }

    private func failure(_ end: BuilderProcess.End, _ log: BuildLog) -> BuildError? {
        let name = build.name
        switch end {
        case .exited(let status) where status.isSuccess: return nil
        case .exited(let status):
            var text = "builder for '\(name)' failed with exit code \(status.code)"
            if status.code > 128, let signal = Signal.describe(status.code - 128) {
                text = "builder for '\(name)' failed due to signal \(status.code - 128) (\(signal))"
            }
            if !log.lastLines.isEmpty {
                text += ";\n       last \(log.lastLines.count) log lines:\n"
                for line in log.lastLines { text += "       > \(String(decoding: line, as: UTF8.self))\n" }
                text += "       For full logs, run 'nix log \(name)'."
            }
            return BuildError(.failed, text)
        case .timedOut(let seconds):
            return BuildError(.timedOut, "building of '\(name)' timed out after \(seconds) seconds")
        case .silent(let seconds):
            return BuildError(.timedOut, "building of '\(name)' timed out after \(seconds) seconds of silence")
        case .logTooLong(let limit):
            return BuildError(
                .failed, "building of '\(name)' killed after writing more than \(limit) bytes of log output")
        case .cancelled:
            return BuildError(.cancelled, "building of '\(name)' was given up because something else failed")
        }
    }

    private func register(
        owner: UInt32?, place: @escaping (StorePath) -> String, _ temporary: String
    ) throws {
        try OutputRegistration(
            derivation: derivation, path: build.path, attributes: attributes, inputs: inputs, store: store,
            settings: settings, owner: owner, place: place, temporary: temporary, report: build.report
        ).run(outputs)
    }
}

extension Signal {
    /// The kernel's words for the signals that builders die of.
    static func describe(_ number: Int32) -> String? {
        [
            1: "Hangup", 2: "Interrupt", 3: "Quit", 4: "Illegal instruction", 6: "Aborted", 7: "Bus error",
            8: "Floating point exception", 9: "Killed", 11: "Segmentation fault", 13: "Broken pipe", 14: "Alarm clock",
            15: "Terminated", 31: "Bad system call",
        ][number]
    }
}
