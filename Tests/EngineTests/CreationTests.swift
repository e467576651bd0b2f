import Engine
import EngineModel
import JSON
import Testing

struct NameTests {
    @Test(arguments: ["web", "a1", "A_b.c-d", "0x"])
    func validNames(name: String) { #expect(Names.isValid(name)) }

    @Test(arguments: ["", "a", "-a", ".a", "_a", "a/b", "a b", "ä1", "a\u{0}b", "a:b", "../x"])
    func invalidNames(name: String) { #expect(!Names.isValid(name)) }

    @Test func madeUpNamesAreValidAndDiffer() {
        let names = Set((0..<100).map { _ in Names.random(attempt: 0) })
        #expect(names.count > 50)
        #expect(names.allSatisfy { Names.isValid($0) && $0.contains("_") })
        #expect(Names.newID().utf8.count == 64)
        #expect(Names.isHexadecimal(Names.newID()))
    }
}

struct ImageDefaultsTests {
    private func config(_ change: (inout ContainerConfig) -> Void) -> ContainerConfig {
        var config = ContainerConfig()
        change(&config)
        return config
    }

    // The four cases that Docker's documentation lists for CMD and ENTRYPOINT.
    @Test func commandAndEntrypoint() {
        let image = config {
            $0.entrypoint = ["entry"]
            $0.cmd = ["default"]
        }
        var nothing = ContainerConfig()
        nothing.inherit(image)
        #expect(nothing.entrypoint == ["entry"] && nothing.cmd == ["default"])
        var command = config { $0.cmd = ["own"] }
        command.inherit(image)
        #expect(command.entrypoint == ["entry"] && command.cmd == ["own"])
        var entrypoint = config { $0.entrypoint = ["mine"] }
        entrypoint.inherit(image)
        #expect(entrypoint.entrypoint == ["mine"] && entrypoint.cmd == nil)
        var cleared = config {
            $0.entrypoint = [""]
            $0.cmd = ["own"]
        }
        cleared.inherit(image)
        #expect(cleared.entrypoint == nil && cleared.cmd == ["own"])
    }

    @Test func environmentOfTheRequestWins() {
        var own = config { $0.env = ["B=2", "C"] }
        own.inherit(config { $0.env = ["A=1", "B=1", "C=1"] })
        #expect(own.env == ["B=2", "C", "A=1"])
        #expect(
            Environment.merge(["PATH=/bin", "TERM=x"], ["PATH=/usr/bin", "TERM", "N=1"]) == ["PATH=/usr/bin", "N=1"])
    }

    @Test func listsAreUnitedAndLabelsOverridden() {
        var own = config {
            $0.labels = ["a": "own"]
            $0.exposedPorts = ["80/tcp": [:]]
            $0.healthcheck = HealthConfig()
            $0.healthcheck?.retries = 9
        }
        own.inherit(
            config {
                $0.labels = ["a": "image", "b": "image"]
                $0.exposedPorts = ["443/tcp": [:]]
                $0.volumes = ["/data": [:]]
                $0.user = "app"
                $0.stopSignal = "SIGINT"
                $0.healthcheck = HealthConfig()
                $0.healthcheck?.test = ["CMD", "true"]
                $0.healthcheck?.retries = 1
            })
        #expect(own.labels == ["a": "own", "b": "image"])
        #expect(own.exposedPorts?.keys.sorted() == ["443/tcp", "80/tcp"])
        #expect(own.volumes?.keys.sorted() == ["/data"])
        #expect(own.user == "app" && own.stopSignal == "SIGINT")
        #expect(own.healthcheck?.test == ["CMD", "true"] && own.healthcheck?.retries == 9)
    }
}

struct BindTests {
    @Test func formsOfABind() throws {
        let plain = try BindSpecification("/a/../b:/c/")
        #expect(plain.source == "/b" && plain.target == "/c" && plain.isBind && !plain.isReadOnly)
        let options = try BindSpecification("/a:/b:ro,rslave,z")
        #expect(options.isReadOnly && options.propagation == "rslave")
        let volume = try BindSpecification("data:/b:nocopy")
        #expect(!volume.isBind && volume.noCopy)
    }

    @Test(arguments: [
        "", "/a", "a:b", "/a:b", "/a:/", "/a:/b:xx", "/a:/b:ro,rw", "/a:/b:ro:z", ":/b", "/a::ro", "/a:ro",
        "v:/b:rslave",
        "/a:/b:nocopy", "/a:/b:ro,ro",
    ])
    func whatIsNoBindIsRefused(text: String) {
        #expect(throws: EngineError.self) { try BindSpecification(text) }
    }
}

struct MountPlanTests {
    private func plan(_ change: (inout ContainerCreateRequest) -> Void) throws -> [ContainerMount] {
        var request = ContainerCreateRequest()
        request.hostConfig = HostConfig()
        change(&request)
        return try MountPlan(request) { name throws(EngineError) in
            guard name == "other" else { throw EngineError(.notFound, "No such container: \(name)") }
            var record = ContainerRecord()
            var mount = ContainerMount()
            mount.kind = .volume
            mount.name = "shared"
            mount.destination = "/shared"
            record.mounts = [mount]
            return record
        }.mounts
    }

    @Test func anImagesVolumeGivesWayToWhatWasAskedFor() throws {
        let mounts = try plan {
            $0.config.volumes = ["/data": [:], "/more": [:], "/run": [:]]
            $0.hostConfig?.binds = ["named:/data"]
            $0.hostConfig?.tmpfs = ["/run": "size=1m"]
        }
        #expect(mounts.map(\.destination).sorted() == ["/data", "/more", "/run"])
        #expect(mounts.first { $0.destination == "/data" }?.name == "named")
        #expect(mounts.first { $0.destination == "/more" }?.isAnonymous == true)
        #expect(mounts.first { $0.destination == "/run" }?.kind == .tmpfs)
    }

    @Test func volumesFromAnotherContainer() throws {
        let mounts = try plan { $0.hostConfig?.volumesFrom = ["other:ro"] }
        #expect(mounts.count == 1 && mounts[0].name == "shared" && !mounts[0].isWritable)
        #expect(throws: EngineError.self) { try plan { $0.hostConfig?.volumesFrom = ["missing"] } }
        #expect(throws: EngineError.self) { try plan { $0.hostConfig?.volumesFrom = ["other:xx"] } }
    }

    @Test func whatCannotBeMountedIsRefused() {
        func refuses(_ change: (inout ContainerCreateRequest) -> Void) -> String? {
            do {
                _ = try plan(change)
                return nil
            } catch {
                return "\(error)"
            }
        }
        #expect(refuses { $0.hostConfig?.binds = ["/a:/x", "/b:/x"] } == "Duplicate mount point: /x")
        #expect(refuses { $0.hostConfig?.tmpfs = ["/": ""] } != nil)
        var missing = Mount()
        missing.type = "bind"
        missing.source = "/nowhere/at/all"
        missing.target = "/x"
        #expect(
            refuses { $0.hostConfig?.mounts = [missing] }
                == "invalid mount config for type \"bind\": bind source path does not exist: /nowhere/at/all")
        var image = missing
        image.type = "image"
        #expect(refuses { $0.hostConfig?.mounts = [image] } != nil)
        var escape = Mount()
        escape.type = "volume"
        escape.source = "v"
        escape.target = "/x"
        escape.volumeOptions = Mount.VolumeOptions()
        escape.volumeOptions?.subpath = "a/../../b"
        #expect(refuses { $0.hostConfig?.mounts = [escape] } != nil)
    }
}

struct ValidationTests {
    @Test func restartPolicies() throws {
        try ContainerValidation.check(RestartPolicy(name: "on-failure", maximumRetryCount: 3))
        try ContainerValidation.check(RestartPolicy(name: "always"))
        #expect(throws: EngineError.self) {
            try ContainerValidation.check(RestartPolicy(name: "always", maximumRetryCount: 3))
        }
        #expect(throws: EngineError.self) { try ContainerValidation.check(RestartPolicy(name: "sometimes")) }
    }

    @Test func modesOfNamespaces() throws {
        var host = HostConfig()
        host.ipcMode = "container:abc"
        host.pidMode = "host"
        try ContainerValidation.check(host)
        for (path, mode) in [(\HostConfig.pidMode, "private"), (\.utsMode, "container:a"), (\.ipcMode, "container:")] {
            var wrong = HostConfig()
            wrong[keyPath: path] = mode
            #expect(throws: EngineError.self, "\(mode)") { try ContainerValidation.check(wrong) }
        }
    }

    @Test func limits() throws {
        var facts = HostFacts()
        facts.cpuCount = 2
        facts.onlineCPUs = "0-1"
        facts.hasMemory = true
        facts.hasSwapLimit = true
        facts.hasCPU = true
        facts.hasCpuset = true
        func check(_ change: (inout Resources) -> Void) throws {
            var resources = Resources()
            change(&resources)
            _ = try ResourceValidation.check(&resources, on: facts, isUpdate: false)
        }
        try check { $0.nanoCpus = 1_500_000_000 }
        #expect(throws: EngineError.self) { try check { $0.memory = 1 << 20 } }
        #expect(throws: EngineError.self) { try check { $0.nanoCpus = 3_000_000_000 } }
        #expect(throws: EngineError.self) { try check { $0.cpusetCpus = "0-2" } }
        #expect(throws: EngineError.self) {
            try check { $0.cpusetCpus = String(repeating: "0-65535,", count: 100_000) + "0" }
        }
        #expect(throws: EngineError.self) { try check { $0.cpusetCpus = "1-0" } }
        #expect(throws: EngineError.self) {
            try check {
                $0.memory = 64 << 20
                $0.memorySwap = 32 << 20
            }
        }
        #expect(throws: EngineError.self) { try check { $0.ulimits = [Ulimit(name: "nofile", soft: 5, hard: 4)] } }
        var resources = Resources()
        resources.memory = 64 << 20
        facts.hasMemory = false
        let warnings = try ResourceValidation.check(&resources, on: facts, isUpdate: false)
        #expect(warnings.count == 1 && resources.memory == 0)
    }

    @Test func signals() throws {
        #expect(try Signals.number("SIGTERM") == 15)
        #expect(try Signals.number("kill") == 9)
        #expect(try Signals.number("37") == 37)
        #expect(try Signals.number("RTMIN+3") == 37)
        for text in ["", "0", "65", "-1", "SIGNOPE", "RTMIN+99"] {
            #expect(throws: EngineError.self) { try Signals.number(text) }
        }
    }

    @Test func paths() {
        #expect(PathText.clean("/a//b/./../c/") == "/a/c")
        #expect(PathText.clean("/../..") == "/")
        #expect(PathText.clean("a/../../b") == "../b")
        #expect(PathText.isInside("/a/b", "/a") && !PathText.isInside("/ab", "/a"))
        // To Swift a slash with a combining mark after it is another character; to the kernel it is a slash.
        #expect(PathText.isInside("/a/\u{301}b", "/a") && PathText.clean("/a/../\u{301}b") == "/\u{301}b")
        #expect(PathText.name(of: "/a/\u{301}b") == "\u{301}b" && PathText.directory(of: "/a/\u{301}b") == "/a")
    }
}
