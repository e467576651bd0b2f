import Kernel
import NixBinaryCache
import NixBuild
import NixLanguage
import NixLocalStore
import NixSettings
import NixStore
import Synchronization

/// What the commands that build share: who builds, with what settings, and what the user is told.
struct BuildSession {
    enum Builder {
        case local(LocalStore, Realiser)
        case daemon(DaemonOwnedStore)
    }

    let builder: Builder
    let directory: StoreDirectory
    private let reported = ReportedFailures()
    private let showsProgress: Bool
    private let mode: BuildSettings.Mode

    /// - Parameters:
    ///   - mode: what becomes of what is valid already.
    ///   - showsLogs: whether what builders write goes to standard error.
    ///   - namesLines: whether each line that a builder writes says whose it is.
    init(
        _ settings: Settings, mode: BuildSettings.Mode = .normal, showsLogs: Bool, namesLines: Bool = false
    ) throws {
        let host = LocalHost()
        showsProgress = settings.showsProgress
        self.mode = mode
        if let owned = try settings.ownedStore(host) {
            builder = .daemon(owned)
            directory = owned.directory
            return
        }
        let store = try LocalStore(try settings.layout(host), options: settings.storeOptions)
        builder = .local(
            store,
            try Self.realiser(
                store, settings, mode: mode, showsLogs: showsLogs, namesLines: namesLines, reported))
        directory = store.directory
    }

    init(_ store: LocalStore, _ settings: Settings, mode: BuildSettings.Mode = .normal, showsLogs: Bool) throws {
        showsProgress = settings.showsProgress
        self.mode = mode
        builder = .local(
            store, try Self.realiser(store, settings, mode: mode, showsLogs: showsLogs, reported))
        directory = store.directory
    }

    private static func realiser(
        _ store: LocalStore, _ settings: Settings, mode: BuildSettings.Mode, showsLogs: Bool, namesLines: Bool = false,
        _ reported: ReportedFailures
    ) throws -> Realiser {
        let host = LocalHost()
        var build = settings.configuration.buildSettings(host)
        build.mode = mode
        // Who has seen all lines need not see the last again.
        if showsLogs { build.logLines = 0 }
        let stores = StoreSettings(host, settings.configuration)
        let transfer = try stores.transfer()
        build.download = { address, sink in try WebFile.read(address, settings: transfer, to: sink) }
        let directory = store.directory
        var realiser = Realiser(
            store: store, settings: build, source: try CacheSource(settings.configuration, stores, host))
        realiser.onEvent = { event in
            if case .failed(_, let error) = event { reported.insert(error.reason) }
            show(event, in: directory, showsLogs: showsLogs, namesLines: namesLines)
        }
        return realiser
    }

    // MARK: Building

    /// Makes targets valid, and says before what that takes.
    func realise(_ targets: [BuildTarget], quiet: Bool = false) throws {
        switch builder {
        case .local(_, var realiser):
            let directory = directory
            let isTold = !quiet && realiser.settings.mode == .normal
            realiser.onPlan = { plan in
                ProgressLine.shared.show(plan)
                if isTold { PlanReport(plan, in: directory).write() }
            }
            if !quiet, realiser.settings.mode != .normal {
                // What is valid is made again all the same; what is not is told.
                var normal = realiser
                normal.settings.mode = .normal
                PlanReport(try normal.plan(targets), in: directory).write()
            }
            do {
                try ProgressLine.during(showsProgress) { try realiser.realise(targets) }
            } catch let error as BuildError {
                throw BuildFailure(error: error, isReported: reported.contains(error.reason))
            }
        case .daemon(let owned):
            let daemon = owned.daemon
            let mode: DaemonBuildMode =
                switch mode {
                case .normal: .normal
                case .check: .check
                case .repair: .repair
                }
            try daemon.build(names(targets, daemon), mode: mode)
        }
    }

    /// Says what making targets valid would take.
    func showPlan(_ targets: [BuildTarget]) throws {
        switch builder {
        case .local(_, let realiser):
            PlanReport(try realiser.plan(targets), in: directory).write()
        case .daemon(let owned):
            let daemon = owned.daemon
            let missing = try daemon.missing(for: names(targets, daemon))
            try PlanReport(missing, of: daemon).write()
        }
    }

    /// Targets as a daemon is told them.
    func names(_ targets: [BuildTarget], _ daemon: DaemonStore) -> [String] {
        targets.map { target in
            switch target {
            case .object(let path): directory.print(path)
            case .outputs(let path, let names): daemon.target(path, outputs: Array(names))
            }
        }
    }

    private static func show(_ event: BuildEvent, in directory: StoreDirectory, showsLogs: Bool, namesLines: Bool) {
        if case .line = event, showsLogs {} else { ProgressLine.shared.show(event) }
        switch event {
        case .waiting(let path): say("waiting for lock on '\(directory.print(path))'")
        case .building(let path, let mode):
            // The line says so.
            guard showsLogs || !ProgressLine.shared.isShown else { return }
            let verb =
                switch mode {
                case .normal: "building"
                case .check: "checking outputs of"
                case .repair: "repairing outputs of"
                }
            say("\(verb) '\(directory.print(path))'...")
        case .line(let path, let bytes):
            let name = namesLines ? Array((ProgressLine.name(path) + "> ").utf8) : []
            if showsLogs { Output.error.write(name + bytes + [0x0A]) }
        case .built: break
        case .warning(let text): say("warning: " + text)
        case .note(let text): say(text)
        case .hookLine(_, let bytes):
            if showsLogs { Output.error.write(Array("post-build-hook: ".utf8) + bytes + [0x0A]) }
        case .kept(_, let place): say("note: keeping build directory '\(place)'")
        case .failed(_, let error): say("error: \(error.reason)")
        }
    }

    private static func say(_ text: String) { Output.error.write(text + "\n") }
}

/// A build failed.
struct BuildFailure: Error {
    let error: BuildError
    /// Whether the user has seen it.
    let isReported: Bool
}

/// What the user has been told went wrong.
private final class ReportedFailures: Sendable {
    private let reasons = Mutex<Set<String>>([])

    func insert(_ reason: String) { reasons.withLock { _ = $0.insert(reason) } }
    func contains(_ reason: String) -> Bool { reasons.withLock { $0.contains(reason) } }
}
