import NixBuild
import NixStore

/// What will be, or would be, built and fetched, in Nix's words.
struct PlanReport {
    /// Each after what it needs.
    private let toBuild: [StorePath]
    private let fetch: FetchPlan
    private let unknown: Set<StorePath>
    private let directory: StoreDirectory

    init(_ plan: BuildPlan, in directory: StoreDirectory) {
        (toBuild, fetch, unknown) = (plan.toBuild, plan.fetch, plan.unknown)
        self.directory = directory
    }

    /// What a daemon has worked out.
    init(_ missing: MissingObjects, of daemon: DaemonStore) throws {
        let known = missing.toBuild
        var needs: [StorePath: Set<StorePath>] = [:]
        for path in known { needs[path] = try daemon.info(of: path)?.references.intersection(known) ?? [] }
        toBuild = BuildPlan.sorted(needs)
        fetch = FetchPlan(
            paths: missing.toSubstitute, downloadSize: missing.downloadSize, unpackedSize: missing.narSize)
        unknown = missing.unknown
        directory = daemon.directory
    }

    func write() {
        var text = ""
        if !toBuild.isEmpty {
            text +=
                toBuild.count == 1
                ? "this derivation will be built:\n" : "these \(toBuild.count) derivations will be built:\n"
            for path in toBuild { text += "  \(directory.print(path))\n" }
        }
        let paths = fetch.paths
        if !paths.isEmpty {
            let sizes =
                "(\(StoreSession.mebibytes(Int64(clamping: fetch.downloadSize))) download, "
                + "\(StoreSession.mebibytes(Int64(clamping: fetch.unpackedSize))) unpacked)"
            text +=
                paths.count == 1
                ? "this path will be fetched \(sizes):\n" : "these \(paths.count) paths will be fetched \(sizes):\n"
            for path in paths.sorted() { text += "  \(directory.print(path))\n" }
        }
        if !unknown.isEmpty {
            text += "don't know how to build these paths:\n"
            for path in unknown.sorted() { text += "  \(directory.print(path))\n" }
        }
        Output.error.write(text)
    }
}
