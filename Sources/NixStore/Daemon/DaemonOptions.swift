/// The requests of the worker protocol.
enum DaemonOperation: UInt64 {
    case isValidPath = 1
    case queryReferrers = 6
    case addToStore = 7
    case addTextToStore = 8
    case buildPaths = 9
    case ensurePath = 10
    case addTempRoot = 11
    case addIndirectRoot = 12
    case syncWithGC = 13
    case findRoots = 14
    case setOptions = 19
    case collectGarbage = 20
    case queryAllValidPaths = 23
    case queryPathInfo = 26
    case queryPathFromHashPart = 29
    case queryValidPaths = 31
    case querySubstitutablePaths = 32
    case queryValidDerivers = 33
    case optimiseStore = 34
    case verifyStore = 35
    case addSignatures = 37
    case narFromPath = 38
    case addToStoreNar = 39
    case queryMissing = 40
    case queryDerivationOutputMap = 41
    case addMultipleToStore = 44
    case addBuildLog = 45
    case buildPathsWithResults = 46
}

/// How a daemon is to work for us.
public struct DaemonOptions: Sendable {
    public var keepsFailed = false
    public var keepsGoing = false
    /// Whether to build what cannot be substituted after all.
    public var fallsBack = false
    /// 0 for errors only, 3 as usual, 7 for everything.
    public var verbosity = 3
    public var maximumJobs = 1
    /// Seconds without output after which a build is ended; 0 for never.
    public var maximumSilence = 0
    /// Whether lines of builds are sent to us.
    public var showsBuildLogs = true
    /// How many cores a build may use; 0 for all.
    public var cores = 0
    public var substitutes = true
    /// Other settings, as in `nix.conf`.
    public var overrides: [String: String] = [:]

    public init() {}

    func write(to writer: inout WireWriter) {
        writer.write(keepsFailed)
        writer.write(keepsGoing)
        writer.write(fallsBack)
        writer.write(UInt64(verbosity))
        writer.write(UInt64(maximumJobs))
        writer.write(UInt64(maximumSilence))
        writer.write(true)
        writer.write(UInt64(showsBuildLogs ? 0 : 7))
        writer.write(UInt64(0))
        writer.write(UInt64(0))
        writer.write(UInt64(cores))
        writer.write(substitutes)
        writer.write(UInt64(overrides.count))
        for (name, value) in overrides.sorted(by: { $0.key < $1.key }) {
            writer.write(name)
            writer.write(value)
        }
    }
}
