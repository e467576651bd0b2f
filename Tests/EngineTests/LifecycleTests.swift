import Engine
import EngineModel
import GRDB
import JSON
import Testing

struct RestartTests {
    @Test func theDelayDoublesAndStartsAgain() {
        var delay = RestartDelay()
        var delays: [Duration] = []
        for _ in 0..<12 { delays.append(delay.next(afterRunning: 1)) }
        #expect(delays.prefix(4) == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(delays.last == .seconds(60))
        delays = [delay.next(afterRunning: 10), delay.next(afterRunning: 9.9)]
        #expect(delays == [.milliseconds(100), .milliseconds(200)])
    }

    @Test func policies() {
        func restarts(_ name: String, code: Int, count: Int = 0, maximum: Int = 0, stopped: Bool = false) -> Bool {
            RestartDecision.restarts(
                RestartPolicy(name: name, maximumRetryCount: maximum), exitCode: code, count: count, wasStopped: stopped
            )
        }
        #expect(!restarts("no", code: 1) && !restarts("", code: 1))
        #expect(restarts("always", code: 0) && !restarts("always", code: 0, stopped: true))
        #expect(restarts("on-failure", code: 1) && !restarts("on-failure", code: 0))
        #expect(restarts("on-failure", code: 1, count: 2, maximum: 3))
        #expect(!restarts("on-failure", code: 1, count: 3, maximum: 3))
        func atStart(_ name: String, stopped: Bool, started: Bool = true) -> Bool {
            RestartDecision.restartsWithDaemon(
                RestartPolicy(name: name), exitCode: 137, count: 0, wasStopped: stopped, wasStarted: started)
        }
        #expect(atStart("always", stopped: true) && !atStart("unless-stopped", stopped: true))
        #expect(atStart("unless-stopped", stopped: false) && !atStart("always", stopped: false, started: false))
    }
}

struct HealthTests {
    private func result(_ code: Int) -> Health.Result {
        var result = Health.Result()
        result.exitCode = code
        return result
    }

    @Test func threeFailuresMakeItUnhealthyAndOneSuccessHealthy() {
        var config = HealthConfig()
        config.startPeriod = 1000
        var tracker = HealthTracker(config)
        func enter(_ code: Int, _ elapsed: Int64) -> Bool { tracker.enter(result(code), elapsed: elapsed) }
        #expect(tracker.health.status == "starting")
        // Within the start period failures do not count.
        for _ in 0..<5 { #expect(enter(1, 500) == false) }
        #expect(tracker.health.failingStreak == 0)
        #expect(enter(1, 2000) == false)
        #expect(enter(1, 2000) == false)
        #expect(enter(1, 2000) == true)
        #expect(tracker.health.status == "unhealthy" && tracker.health.failingStreak == 3)
        #expect(tracker.health.log?.count == 5)
        #expect(enter(0, 2000) == true)
        #expect(tracker.health.status == "healthy" && tracker.health.failingStreak == 0)
        #expect(enter(0, 2000) == false)
    }

    @Test func probes() {
        var config = ContainerConfig()
        #expect(HealthProbe(config) == nil)
        config.healthcheck = HealthConfig()
        config.healthcheck?.test = ["NONE"]
        #expect(HealthProbe(config) == nil)
        config.healthcheck?.test = ["CMD-SHELL", "exit 0"]
        #expect(HealthProbe(config)?.command == ["/bin/sh", "-c", "exit 0"])
        #expect(HealthProbe(config)?.interval == 30_000_000_000)
        config.shell = ["/bin/bash", "-ec"]
        #expect(HealthProbe(config)?.command == ["/bin/bash", "-ec", "exit 0"])
    }
}

struct StatusTextTests {
    @Test func wordsForTimes() {
        let words: [(Double, String)] = [
            (0.5, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
            (600, "10 minutes"),
            (3600, "About an hour"), (7200, "2 hours"), (86_400 * 3, "3 days"), (86_400 * 21, "3 weeks"),
            (86_400 * 90, "3 months"), (86_400 * 365 * 3, "3 years"),
        ]
        for (seconds, text) in words { #expect(StatusText.duration(seconds) == text) }
    }

    @Test func states() {
        var status = ContainerStatus()
        let now = Timestamp(seconds: 1_700_000_000)
        #expect(StatusText.text(status, health: nil, now: now) == "Created")
        status.phase = .running
        status.startedAt = (now.seconds - 120) * 1_000_000_000
        #expect(StatusText.text(status, health: nil, now: now) == "Up 2 minutes")
        var health = Health()
        health.status = "healthy"
        #expect(StatusText.text(status, health: health, now: now) == "Up 2 minutes (healthy)")
        status.phase = .exited
        status.exitCode = 3
        status.finishedAt = (now.seconds - 2) * 1_000_000_000
        #expect(StatusText.text(status, health: nil, now: now) == "Exited (3) 2 seconds ago")
    }
}

struct EventTests {
    @Test func listenersGetThePastAndThePresent() async throws {
        let bus = EventBus()
        bus.post(type: "container", action: "create", id: "c1", attributes: ["name": "web", "image": "debian"])
        let filter = try EventFilter(Filters(parsing: #"{"container":["web"],"event":["create","exec_create"]}"#))
        let stream = bus.messages(since: Timestamp(seconds: 0), until: nil) { filter.includes($0) }
        bus.post(type: "container", action: "start", id: "c1", attributes: ["name": "web"])
        bus.post(type: "container", action: "exec_create: ls", id: "c1", attributes: ["name": "web"])
        bus.post(type: "container", action: "create", id: "c2", attributes: ["name": "other"])
        bus.post(type: "container", action: "create", id: "c1", attributes: ["name": "web"])
        var actions: [String] = []
        for await message in stream {
            actions.append(message.action)
            if actions.count == 3 { break }
        }
        #expect(actions == ["create", "exec_create: ls", "create"])
    }

    @Test func anEndInThePastEndsAtOnce() async throws {
        let bus = EventBus()
        bus.post(type: "image", action: "load", id: "i", attributes: [:])
        var count = 0
        for await _ in bus.messages(since: Timestamp(seconds: 0), until: .init(seconds: 1), where: { _ in true }) {
            count += 1
        }
        #expect(count == 0 && bus.listenerCount == 0)
    }

    @Test(arguments: [Int64.min, Int64.max]) func anyEndIsTaken(_ seconds: Int64) async throws {
        let bus = EventBus()
        let end = Timestamp(seconds: seconds)
        let reader = Task {
            for await _ in bus.messages(since: nil, until: end, where: { _ in true }) {}
        }
        try await Task.sleep(for: .milliseconds(50))
        reader.cancel()
        await reader.value
        #expect(bus.listenerCount == 0)
    }

    @Test func memoryIsBounded() async {
        let bus = EventBus()
        for number in 0..<1000 { bus.post(type: "container", action: "\(number)", id: "", attributes: [:]) }
        var first: String?
        for await message in bus.messages(since: Timestamp(seconds: 0), until: nil, where: { _ in true }) {
            first = message.action
            break
        }
        #expect(first == "744")
        #expect(throws: EngineError.self) { try EventFilter(Filters(parsing: #"{"nonsense":["a"]}"#)) }
    }
}

struct StoreTests {
    @Test func rowsComeBackAsTheyWere() throws {
        let store = try ContainerStore(DatabaseQueue())
        var record = ContainerRecord()
        record.id = "aa"
        record.name = "web"
        record.config.env = ["A=1"]
        var mount = ContainerMount()
        mount.kind = .volume
        mount.name = "v"
        mount.destination = "/v"
        mount.isAnonymous = true
        record.mounts = [mount]
        try store.beginCreation("aa", at: 5)
        #expect(try store.unfinishedCreations().map(\.id) == ["aa"])
        var status = ContainerStatus()
        try store.insert(record, status)
        // The row is the end of the creation, in one transaction.
        #expect(try store.unfinishedCreations().isEmpty)
        status.phase = .exited
        status.exitCode = 3
        try store.update("aa", status)
        let loaded = try store.load()
        #expect(loaded.containers.count == 1 && loaded.failures.isEmpty)
        #expect(loaded.containers[0].0 == record && loaded.containers[0].1 == status)
        var twin = record
        twin.id = "bb"
        #expect(throws: (any Error).self) { try store.insert(twin, ContainerStatus()) }
        // The volumes are owed in the transaction that deletes the row.
        try store.delete("aa", owing: ["v"])
        #expect(try store.owedVolumes() == ["v"] && store.load().containers.isEmpty)
        try store.settle(volumes: ["v"])
        #expect(try store.owedVolumes().isEmpty)
        #expect(try store.fact("x") { "1" } == store.fact("x") { "2" })
    }

    @Test func aRowThatCannotBeReadIsNamed() throws {
        let queue = try DatabaseQueue()
        let store = try ContainerStore(queue)
        try queue.write {
            try $0.execute(
                sql: "INSERT INTO container (id, name, record, status) VALUES ('x', 'n', '{}', '{}')")
        }
        let loaded = try store.load()
        #expect(loaded.containers.isEmpty && loaded.failures.count == 1)
    }
}

struct LockTests {
    @Test func oneAtATime() async {
        let lock = AsyncLock()
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await lock.withLock {
                        await counter.enter()
                        await Task.yield()
                        await counter.leave()
                    }
                }
            }
        }
        #expect(await counter.most == 1)
    }

    private actor Counter {
        var inside = 0
        var most = 0
        func enter() {
            inside += 1
            most = max(most, inside)
        }
        func leave() { inside -= 1 }
    }

    @Test func aValueWakesAllAndTimesOut() async throws {
        let value = AsyncValue<Int>()
        #expect(try await value.get(within: .milliseconds(10)) == nil)
        async let first = value.get()
        async let second = value.get(within: .seconds(5))
        value.set(1)
        value.set(2)
        #expect(try await first == 1)
        #expect(try await second == 1)
        // As long as any client may ask for.
        let late = AsyncValue<Int>()
        async let third = late.get(within: .seconds(Int.max))
        try await Task.sleep(for: .milliseconds(50))
        late.set(3)
        #expect(try await third == 3)
        let never = AsyncValue<Int>()
        let task = Task { try await never.get() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

struct FilterTextTests {
    @Test func imagePatterns() {
        #expect(ImageListFilter.matches("debian:*", "debian:12"))
        #expect(ImageListFilter.matches("*/app", "me/app"))
        #expect(!ImageListFilter.matches("*", "me/app"))
        #expect(ImageListFilter.matches("de?ian", "debian"))
        #expect(ImageListFilter.matches("[c-e]eb[^x]an", "debian") && !ImageListFilter.matches("[^d]*", "debian"))
        #expect(ImageListFilter.matches(#"\debian"#, "debian") && !ImageListFilter.matches(#"\*"#, "debian"))
    }

    @Test(arguments: [
        ("debian:*", true), ("[a-z]b", true), ("[^a]", true), (#"[\]]"#, true), ("[", false), ("a[b", false),
        ("[]a]", false), (#"[a\"#, false), (#"a\"#, false), ("[]", false), ("[^", false),
    ])
    func wellFormedPatterns(_ pattern: String, _ isPattern: Bool) {
        #expect(ImageListFilter.isPattern(pattern) == isPattern)
    }

    @Test func durations() {
        #expect(PruneFilter.goDuration("1h30m") == 5_400_000_000_000)
        #expect(PruneFilter.goDuration("1.5s") == 1_500_000_000)
        for text in ["", "1", "h", "1x", "-1h"] { #expect(PruneFilter.goDuration(text) == nil) }
    }

    @Test func processTables() throws {
        let top = try ProcessTable.parse(
            "USER  PID COMMAND\nroot 12 sh -c a b\nroot 13 x\n", processes: [12])
        #expect(top.titles == ["USER", "PID", "COMMAND"] && top.processes == [["root", "12", "sh -c a b"]])
        #expect(throws: EngineError.self) { try ProcessTable.parse("A B\n1 2\n", processes: []) }
    }

    @Test func logTags() {
        var record = ContainerRecord()
        record.id = String(repeating: "a", count: 64)
        record.name = "web"
        #expect(LogTag.expand("{{.Name}}/{{ .ID }}/{{.Nope}}", record) == "web/aaaaaaaaaaaa/{{.Nope}}")
    }
}

struct OwnChangesTests {
    @Test func mountPointsAreNoChanges() {
        let changes = [
            FilesystemChange(path: "/.dockerenv", kind: .added), FilesystemChange(path: "/bin", kind: .modified),
            FilesystemChange(path: "/bin/x", kind: .added), FilesystemChange(path: "/dev", kind: .added),
            FilesystemChange(path: "/etc", kind: .modified), FilesystemChange(path: "/etc/hosts", kind: .added),
            FilesystemChange(path: "/proc", kind: .deleted),
        ]
        #expect(OwnChanges.without(changes).map(\.path) == ["/bin", "/bin/x", "/proc"])
        let more = changes + [FilesystemChange(path: "/etc/own", kind: .added)]
        #expect(OwnChanges.without(more).map(\.path).contains("/etc"))
    }
}
