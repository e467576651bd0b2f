import EngineModel
import JSON
import Testing

struct ModelTests {
    @Test func aCreateRequestKeepsItsThreeParts() throws {
        let text = """
            {"Image":"debian","Cmd":["sh","-c","true"],"Entrypoint":"/bin/env","Env":["A=1"],"Tty":true,"NewMember":7,
             "HostConfig":{"Binds":["/a:/b"],"Memory":1048576,"Init":true,"RestartPolicy":{"Name":"always"}},
             "NetworkingConfig":{"EndpointsConfig":{"none":null}}}
            """
        let request = try ContainerCreateRequest(parsing: Array(text.utf8))
        #expect(request.config.image == "debian")
        #expect(request.config.cmd == ["sh", "-c", "true"])
        // Old clients send a single word.
        #expect(request.config.entrypoint == ["/bin/env"])
        #expect(request.hostConfig?.resources.memory == 1_048_576)
        #expect(request.hostConfig?.`init` == true)
        #expect(request.hostConfig?.restartPolicy.name == "always")
        #expect(request.networkingConfig?.endpointsConfig?["none"] == .some(nil))
        #expect(request.config.unknownMembers.names == ["NewMember"])
        let again = try ContainerCreateRequest(json: request.json)
        #expect(again == request)
        #expect(request.json["HostConfig"]?["Memory"]?.integer == 1_048_576)
    }

    // Clients and scripts tell null, empty and missing apart.
    @Test func goWritesNullForSlicesAndLeavesOutOmitEmpty() {
        let config = ContainerConfig().json
        #expect(config["Env"] == .null)
        #expect(config["Volumes"] == .null)
        #expect(config["StopSignal"] == nil)
        #expect(config["ExposedPorts"] == nil)
        #expect(config["User"] == "")
        let host = HostConfig().json
        #expect(host["PidsLimit"] == .null)
        #expect(host["Mounts"] == nil)
        #expect(host["ConsoleSize"] == [0, 0])
        #expect(host["Runtime"] == nil)
        #expect(ExecInspect().json["ExitCode"] == .null)
        #expect(ContainerInspect().json["State"]?["Health"] == nil)
        #expect(ContainerStats().json["storage_stats"] == [:])
    }

    @Test func anUpdateWritesOnlyWhatItChanges() throws {
        var update = ContainerUpdate()
        update.resources.memory = 64 << 20
        #expect(update.json == ["Memory": 67_108_864])
        let read = try ContainerUpdate(parsing: Array(#"{"CpuShares":5,"RestartPolicy":{"Name":"no"}}"#.utf8))
        #expect(read.resources.cpuShares == 5)
        #expect(read.restartPolicy.name == "no")
    }

    @Test(arguments: ["[]", "7", #"{"Cmd":{}}"#, #"{"HostConfig":[]}"#, #"{"Env":[1]}"#, "{"])
    func aRequestThatIsNoneIsRefused(text: String) {
        #expect(throws: JSONError.self) { try ContainerCreateRequest(parsing: Array(text.utf8)) }
    }

    @Test func versionsAreOrderedByNumber() throws {
        let old = try #require(APIVersion("1.9"))
        #expect(old < APIVersion.minimum)
        #expect(APIVersion.current.description == "1.50")
        #expect(APIVersion("1.50.2") == nil)
        #expect(APIVersion("one") == nil)
    }
}

struct FilterTests {
    @Test func bothFormsAreRead() throws {
        let current = try Filters(parsing: #"{"label":{"a=1":true,"b":true,"c":false}}"#)
        #expect(Set(current["label"]) == ["a=1", "b"])
        let old = try Filters(parsing: #"{"label":["a=1","b"]}"#)
        #expect(Set(old["label"]) == ["a=1", "b"])
        #expect(try Filters(parsing: "").isEmpty)
        #expect(try Filters(again: current).values.mapValues(Set.init) == current.values.mapValues(Set.init))
    }

    @Test func labelsMatchByNameAndValue() throws {
        let filters = try Filters(parsing: #"{"label":["a=1","b"]}"#)
        #expect(filters.matchesLabels("label", ["a": "1", "b": ""]))
        #expect(!filters.matchesLabels("label", ["a": "2", "b": ""]))
        #expect(!filters.matchesLabels("label", ["a": "1"]))
    }

    @Test func aBooleanIsOneOfTwo() throws {
        #expect(try Filters(parsing: #"{"dangling":["1"]}"#).bool("dangling") == true)
        #expect(try Filters().bool("dangling") == nil)
        let both = try Filters(parsing: #"{"dangling":["true","false"]}"#)
        #expect(throws: InvalidFilter.self) { try both.bool("dangling") }
        #expect(throws: InvalidFilter(name: "x", values: nil)) {
            try Filters(parsing: #"{"x":["1"]}"#).validate(["label"])
        }
    }

    @Test(arguments: ["[]", "1", #"{"a":1}"#, #"{"a":[1]}"#, #"{"a":{"b":1}}"#, "{\"a\":"])
    func whatIsNoFilterIsRefused(text: String) {
        #expect(throws: JSONError.self) { try Filters(parsing: text) }
    }
}

extension Filters {
    fileprivate init(again filters: Filters) throws { try self.init(parsing: filters.json.serialized()) }
}

struct TimestampTests {
    @Test func parametersAreSecondsOrRFC3339() throws {
        #expect(Timestamp(parameter: "1700000000") == Timestamp(seconds: 1_700_000_000))
        #expect(
            Timestamp(parameter: "1700000000.000000005") == Timestamp(seconds: 1_700_000_000, nanoseconds: 5))
        #expect(Timestamp(parameter: "2023-11-14T22:13:20Z") == Timestamp(seconds: 1_700_000_000))
        for text in ["", "x", "1.x", "1.", "2023-11-14"] { #expect(Timestamp(parameter: text) == nil) }
    }

    // Clients may ask for any moment, as in `until=-9223372036854775808`.
    @Test func theFarthestMomentsHaveADistance() throws {
        let now = Timestamp(seconds: 1_700_000_000)
        let (first, last) = (
            try #require(Timestamp(parameter: "\(Int64.min)")), try #require(Timestamp(parameter: "\(Int64.max)"))
        )
        #expect(first.timeInterval(since: now) < -9e18 && last.timeInterval(since: first) > 1.8e19)
        #expect(Timestamp(seconds: 5, nanoseconds: 500_000_000).timeInterval(since: Timestamp(seconds: 3)) == 2.5)
    }

    @Test func logsShowNineDigits() {
        #expect(
            Timestamp(seconds: 1_700_000_000, nanoseconds: 5_000_000).fixedWidthDescription
                == "2023-11-14T22:13:20.005000000Z")
        #expect(Timestamp.zero.description == "0001-01-01T00:00:00Z")
    }

    @Test func nanosecondsRoundTrip() {
        for count: Int64 in [0, 1, -1, 1_700_000_000_123_456_789, -1_500_000_000] {
            #expect(Timestamp(nanosecondsSince1970: count).nanosecondsSince1970 == count)
        }
    }
}
