import Kernel
import NixBuild
import NixLanguage
import NixSettings

extension NixConfiguration {
    /// How this process builds.
    func buildSettings(_ host: LocalHost) -> BuildSettings {
        var build = BuildSettings()
        build.sandbox =
            switch sandbox {
            case .on: .on
            case .relaxed: .relaxed
            case .off: .off
            }
        build.allowsSandboxFallback = sandboxFallsBack
        build.sandboxPaths = sandboxPaths.map {
            .init(inside: $0.inside, outside: $0.outside, isOptional: $0.isOptional)
        }
        build.maxJobs = maxJobs
        build.cores = cores
        build.keepsGoing = keepsGoing
        build.keepsFailed = keepsFailed
        build.timeout = timeout
        build.maxSilentTime = maxSilentTime
        build.maxLogSize = UInt64(maxBuildLogSize)
        build.logLines = logLines
        build.keepsLog = keepsBuildLog
        build.compressesLog = compressesBuildLog
        build.temporaryDirectory = buildDirectory ?? host.environment("TMPDIR") ?? "/tmp"
        build.sandboxBuildDirectory = sandboxBuildDirectory
        build.system = system
        build.extraPlatforms = Set(extraPlatforms)
        build.systemFeatures = Set(systemFeatures)
        build.buildUsersGroup = buildUsersGroup
        build.fallsBack = fallsBack
        build.hooks.beforeBuild = preBuildHook
        build.hooks.afterBuild = postBuildHook
        build.hooks.onDifference = diffHook
        build.hooks.keepsDifferent = runsDiffHook
        if postBuildHook != nil {
            let told = ["DRV_PATH", "OUT_PATHS", "NIX_CONFIG"]
            build.hooks.environment =
                host.environmentList.filter { entry in !told.contains { entry.hasPrefix($0 + "=") } }
                + ["NIX_CONFIG=" + self.text]
        }
        build.runtime = Self.runtime(host)
        build.environment = { LocalHost().environment($0) }
        return build
    }

    /// `dhow-runtime` beside this program, or where `DHOW_RUNTIME` says.
    private static func runtime(_ host: LocalHost) -> String {
        if let path = host.environment("DHOW_RUNTIME"), !path.isEmpty { return path }
        guard let own = try? FileDescriptor.currentDirectory.readLinkText("/proc/self/exe"),
            let slash = own.utf8.lastIndex(of: UInt8(ascii: "/"))
        else { return "/usr/local/bin/dhow-runtime" }
        return own[..<slash] + "/dhow-runtime"
    }
}
