import JSON
import OCI
import Testing

@Suite struct RuntimeSpecTests {
    @Test func readsWhatTheSpecificationNames() throws {
        let specification = try RuntimeSpec(
            parsing: """
                {"ociVersion": "1.2.0", "root": {"path": "rootfs", "readonly": true}, "hostname": "h",
                 "process": {"terminal": true, "consoleSize": {"height": 24, "width": 80}, "cwd": "/",
                   "user": {"uid": 1, "gid": 2, "umask": 63, "additionalGids": [4]}, "args": ["sh", "-c"],
                   "capabilities": {"ambient": ["CAP_CHOWN"]}, "oomScoreAdj": -5,
                   "rlimits": [{"type": "RLIMIT_CORE", "hard": 18446744073709551615, "soft": 0}],
                   "scheduler": {"policy": "SCHED_DEADLINE", "runtime": 10000},
                   "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 4},
                   "execCPUAffinity": {"initial": "0-1", "final": "1"}},
                 "mounts": [{"destination": "/data", "type": "bind", "source": "/d", "options": ["rbind", "ridmap"],
                   "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
                   "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}],
                 "hooks": {"startContainer": [{"path": "/h", "timeout": 5}]},
                 "linux": {"timeOffsets": {"boottime": {"secs": -7, "nanosecs": 3}},
                   "netDevices": {"eth0": {"name": "inner"}},
                   "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
                     {"names": ["kill"], "action": "SCMP_ACT_ALLOW",
                      "args": [{"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}]}]},
                   "resources": {"memory": {"limit": -1, "checkBeforeUpdate": true}, "unified": {"cpu.max": "max"},
                     "rdma": {"mlx5": {"hcaHandles": 3}}, "pids": {"limit": 0},
                     "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}]}}}}
                """)
        #expect(specification.process?.user.additionalGids == [4])
        #expect(specification.process?.rlimits?.first?.hard == .max)
        #expect(specification.process?.execCPUAffinity?.final == "1")
        #expect(specification.process?.scheduler?.runtime == 10000)
        #expect(specification.mounts?.first?.uidMappings?.first?.hostID == 1000)
        #expect(specification.linux?.timeOffsets?["boottime"]?.secs == -7)
        #expect(specification.linux?.netDevices?["eth0"]?.name == "inner")
        #expect(specification.linux?.seccomp?.syscalls?.first?.args?.first?.value == 9)
        #expect(specification.linux?.resources?.memory?.limit == -1)
        #expect(specification.linux?.resources?.pids?.limit == 0)
        #expect(specification.linux?.resources?.unified == ["cpu.max": "max"])
        #expect(specification.hooks?.startContainer?.first?.timeout == 5)
    }

    @Test func keepsUnknownMembersAtEveryDepth() throws {
        let text =
            #"{"ociVersion":"1.0.0","process":{"user":{"uid":0,"gid":0,"future":1},"cwd":"/","new":[1]},"solaris":{"a":"b"},"linux":{"resources":{"later":{}}}}"#
        let specification = try RuntimeSpec(parsing: text)
        #expect(try JSONValue(parsing: text) == specification.json)
    }

    @Test func writesNothingThatWasNotThere() throws {
        var specification = RuntimeSpec()
        specification.ociVersion = "1.2.0"
        #expect(specification.json.serialized() == #"{"ociVersion":"1.2.0"}"#)
        // An explicit false is not the same as nothing.
        let text = #"{"ociVersion":"1.2.0","root":{"path":"r","readonly":false}}"#
        #expect(try RuntimeSpec(parsing: text).json.serialized() == text)
    }

    @Test(arguments: [
        (#"{"ociVersion":"1","mounts":[{"type":"proc"}]}"#, "destination"),
        (#"{"ociVersion":"1","process":{"args":"sh"}}"#, "args"),
        (#"{"ociVersion":"1","process":{"user":{"uid":-1}}}"#, "uid"),
        (#"{"ociVersion":"1","linux":{"resources":{"memory":{"limit":1e30}}}}"#, "limit"),
        (#"{"ociVersion":1}"#, "ociVersion"),
    ])
    func namesWhatIsWrong(_ text: String, _ member: String) {
        let error = #expect(throws: JSONError.self) { try RuntimeSpec(parsing: text) }
        #expect(error?.path.contains(member) == true)
    }

    @Test(arguments: ["", "{", "[]", "null", "{\"ociVersion\":\"1\"}x", String(repeating: "[", count: 100_000)])
    func refusesWhatIsNoSpecification(_ text: String) {
        #expect(throws: JSONError.self) { try RuntimeSpec(parsing: text) }
    }

    @Test func writesStatesAsHooksReadThem() {
        let state = RuntimeState(
            ociVersion: "1.2.0", id: "c", status: "created", pid: 42, bundle: "/b", annotations: ["k": "v"])
        #expect(
            state.json.serialized()
                == #"{"ociVersion":"1.2.0","id":"c","status":"created","pid":42,"bundle":"/b","annotations":{"k":"v"}}"#
        )
    }
}
