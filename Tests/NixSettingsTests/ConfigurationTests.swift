import Kernel
import NixSettings
import Testing

@Suite struct ConfigurationTests {
    /// A directory with files, gone afterwards.
    private func withFiles(
        _ files: [String: String], _ body: (String) throws -> Void
    ) throws {
        let directory = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "nix-settings-")
        defer { try? FileDescriptor.currentDirectory.removeTree(directory) }
        for (name, text) in files {
            try FileDescriptor.currentDirectory.writeFile("\(directory)/\(name)", text, creating: true)
        }
        try body(directory)
    }

    private func read(_ directory: String, _ environment: [String: String] = [:]) throws -> NixConfiguration {
        let all = environment.merging(["NIX_CONF_DIR": directory]) { given, _ in given }
        return try NixConfiguration(.init(environment: { all[$0] }))
    }

    @Test func whatNobodySetsIsAsInNix() throws {
        try withFiles([:]) { directory in
            let configuration = try read(directory)
            #expect(configuration.maxJobs == 1)
            #expect(configuration.substituters == ["https://cache.nixos.org/"])
            #expect(configuration.sandbox == .on)
            #expect(configuration.maxFree == .max)
            #expect(configuration.tarballTTL == 3600)
            #expect(configuration.overridden.isEmpty)
        }
    }

    @Test func laterSourcesWin() throws {
        let files = [
            "nix.conf": "max-jobs = 2\ncores = 4 # not three\n",
            "least.conf": "cores = 5\nlog-lines = 1\n", "most.conf": "log-lines = 2\n",
        ]
        try withFiles(files) { directory in
            let configuration = try read(
                directory,
                [
                    "NIX_USER_CONF_FILES": "\(directory)/most.conf:\(directory)/least.conf",
                    "NIX_CONFIG": "timeout = 7\nextra-substituters = https://b",
                ])
            #expect(configuration.maxJobs == 2)
            #expect(configuration.cores == 5)
            #expect(configuration.logLines == 2)
            #expect(configuration.timeout == 7)
            #expect(configuration.substituters == ["https://cache.nixos.org/", "https://b"])
            #expect(configuration.overridden == [.cores, .logLines, .timeout, .substituters])
        }
    }

    @Test func filesOfXDGDirectoriesAreRead() throws {
        try withFiles([:]) { directory in
            for name in ["home", "system"] {
                try FileDescriptor.currentDirectory.makeDirectory("\(directory)/\(name)")
                try FileDescriptor.currentDirectory.makeDirectory("\(directory)/\(name)/nix")
                try FileDescriptor.currentDirectory.writeFile(
                    "\(directory)/\(name)/nix/nix.conf", "log-lines = \(name.utf8.count)\n", creating: true)
            }
            let both = ["XDG_CONFIG_HOME": "\(directory)/home", "XDG_CONFIG_DIRS": "\(directory)/system"]
            let configuration = try read(directory, both)
            #expect(configuration.logLines == 4)
            let system = try read(directory, ["HOME": "/none", "XDG_CONFIG_DIRS": "\(directory)/system"])
            #expect(system.logLines == 6)
        }
    }

    @Test func filesIncludeFiles() throws {
        let files = ["nix.conf": "include a\n!include /none\n", "a": "sandbox-paths = /bin/sh=/a?\t/dev/kvm\n"]
        try withFiles(files) { directory in
            let paths = try read(directory).sandboxPaths
            #expect(paths.map(\.inside) == ["/bin/sh", "/dev/kvm"])
            #expect(paths.map(\.outside) == ["/a", "/dev/kvm"])
            #expect(paths.map(\.isOptional) == [true, false])
        }
    }

    @Test func aFileThatIncludesItselfIsRefused() throws {
        try withFiles(["nix.conf": "include nix.conf\n"]) { directory in
            #expect(throws: SettingsError.self) { try read(directory) }
        }
    }

    @Test(arguments: [
        ("include /nonexistent", "file '/nonexistent' included from 'F' not found"),
        ("foo", "illegal configuration line 'foo' in 'F'"),
        ("cores 3", "illegal configuration line 'cores 3' in 'F'"),
        ("include a b", "illegal configuration line 'include a b' in 'F'"),
        ("max-jobs = many", "configuration setting 'max-jobs' should be 'auto' or an integer"),
        ("restrict-eval = maybe", "Boolean setting 'restrict-eval' has invalid value 'maybe'"),
        ("timeout = -1", "setting 'timeout' has invalid value '-1'"),
        ("min-free = 9999999999999G", "setting 'min-free' has invalid value '9999999999999G'"),
        ("sandbox = half", "option 'sandbox' has invalid value 'half'"),
    ])
    func nonsenseIsRefused(_ line: String, _ reason: String) throws {
        try withFiles(["nix.conf": line + "\n"]) { directory in
            let wanted = SettingsError(reason.replacing("'F'", with: "'\(directory)/nix.conf'"))
            #expect(throws: wanted) { try read(directory) }
        }
    }

    @Test func unknownNamesAreWarnedOf() throws {
        let text = "bogus = 1\nextra-cores = 3\nbuild-cores = 6\nallowed-users = @wheel\nextra-bogus = 1"
        let configuration = try read("/none", ["NIX_CONFIG": text])
        #expect(
            configuration.warnings == [
                "unknown setting 'bogus'", "unknown setting 'extra-cores'", "unknown setting 'extra-bogus'",
            ])
        #expect(configuration.cores == 6)
    }

    @Test func sizesHaveUnits() throws {
        let configuration = try read("/none", ["NIX_CONFIG": "min-free = 2G\nmax-free = 3k"])
        #expect(configuration.minFree == 2 << 30)
        #expect(configuration.maxFree == 3 << 10)
    }

    @Test(arguments: [
        ("--cores", NixConfiguration.Flag.takesValue(name: "cores")),
        ("--keep-going", .sets(name: "keep-going", value: "true")), ("-k", .sets(name: "keep-going", value: "true")),
        ("--no-sandbox", .sets(name: "sandbox", value: "false")),
        ("--extra-substituters", .takesValue(name: "extra-substituters")), ("-j", .takesValue(name: "max-jobs")),
    ])
    func flagsSetSettings(_ option: String, _ flag: NixConfiguration.Flag) {
        #expect(NixConfiguration.flag(option) == flag)
    }

    @Test(arguments: ["--bogus", "--no-cores", "--extra-cores", "cores"])
    func otherFlagsAreNone(_ option: String) { #expect(NixConfiguration.flag(option) == nil) }

    @Test func everySettingsOwnTextIsAValue() throws {
        for setting in Setting.allCases {
            var configuration = NixConfiguration()
            let text = configuration.text(of: setting)
            try configuration.set(setting, to: text)
            #expect(configuration.text(of: setting) == text, "\(setting)")
        }
    }
}
