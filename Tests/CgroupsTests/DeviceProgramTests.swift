import Cgroups
import Kernel
import OCI
import Testing

/// eBPF programs in a real v2 cgroup: its hierarchy is mounted on hybrid hosts too.
@Suite struct DeviceProgramTests {
    private let mountPoint: String?

    init() throws { mountPoint = try CgroupHost.current().unified?.mountPoint }

    /// Makes a cgroup with rules, and says what `script` prints in there.
    private func run(_ rules: [[LinuxDeviceCgroup]], _ script: String) throws -> String {
        let mountPoint = try #require(mountPoint)
        let cgroup = CgroupHost.cgroup(
            CgroupReference(version: .v2, paths: ["": "\(mountPoint)/\(uniqueName())"]))
        try cgroup.create(placing: nil, resources: nil)
        defer {
            try? cgroup.killAll()
            try? cgroup.destroy()
        }
        for rules in rules {
            var resources = LinuxResources()
            resources.devices = rules
            try cgroup.apply(resources)
        }
        let directory = try #require(cgroup.processDirectory)
        #expect(try CgroupDeviceProgram.attached(to: .open(directory, [.readOnly, .directory])).count == 1)
        let shell = Subprocess.Configuration(
            "/bin/sh", arguments: ["sh", "-c", "echo $$ > \(directory)/cgroup.procs; \(script)"])
        return String(decoding: try Subprocess.run(shell).standardOutput, as: UTF8.self)
    }

    /// One letter for each: n/N null can (not) be read, w/W written, z/Z zero read.
    private let probe = """
        exec 2>&-; (: </dev/null) && printf n || printf N; (: >/dev/null) && printf w || printf W; \
        (: </dev/zero) && printf z || printf Z
        """

    private func rule(
        _ allow: Bool, _ type: String? = nil, _ major: Int64? = nil, _ minor: Int64? = nil, _ access: String? = nil
    ) -> LinuxDeviceCgroup {
        LinuxDeviceCgroup(allow: allow, type: type, major: major, minor: minor, access: access)
    }

    @Test func rulesDecide() throws {
        guard mountPoint != nil else { return }
        let cases: [([LinuxDeviceCgroup], String)] = [
            ([], "NWZ"),
            ([rule(true)], "nwz"),
            ([rule(false), rule(true, "c", 1, 3)], "nwZ"),
            ([rule(false), rule(true, "c", 1, 3, "r")], "nWZ"),
            ([rule(false), rule(true, "c", 1, nil, "rw")], "nwz"),
            ([rule(false), rule(true, "b", 1, 3)], "NWZ"),
            // The last that matches wins.
            ([rule(true), rule(false, "c", 1, 3)], "NWz"),
            ([rule(true), rule(false, "c", 1, 3, "w")], "nWz"),
            ([rule(true, "c", 1, 3), rule(false, "c", 1)], "NWZ"),
            ([rule(false, "c", 1), rule(true, "c", 1, 3)], "nwZ"),
            ([rule(true, "c", 1, 3), rule(false)], "NWZ"),
            ([rule(true, "c"), rule(false, "c", 1, 3, "w"), rule(true, "c", 1, 3, "m")], "nWz"),
        ]
        for (rules, expected) in cases {
            let answer = try run([rules], probe)
            #expect(answer == expected, "\(rules.map { "\($0.json)" })")
        }
    }

    @Test func accessesAddUpOverRules() throws {
        guard mountPoint != nil else { return }
        let readWrite = "exec 2>&-; (: <>/dev/null) && printf y || printf n"
        #expect(try run([[rule(true, "c", 1, 3, "r"), rule(true, "c", 1, 3, "w")]], readWrite) == "y")
        #expect(try run([[rule(true, "c", 1, 3, "r")]], readWrite) == "n")
        let makeNode = "exec 2>&-; d=$(mktemp -d); mknod $d/n c 1 3 && printf y || printf n; rm -r $d"
        #expect(try run([[rule(true, "c", 1, 3, "rwm")]], makeNode) == "y")
        #expect(try run([[rule(true, "c", 1, 3, "rw")]], makeNode) == "n")
    }

    @Test func updatesReplace() throws {
        guard mountPoint != nil else { return }
        let first = [rule(false)]
        let second = [rule(true, "c", 1, 3)]
        #expect(try run([first, second], probe) == "nwZ")
        #expect(try run([second, first, second, first], probe) == "NWZ")
    }

    @Test func hundredsOfRulesPassTheVerifier() throws {
        guard mountPoint != nil else { return }
        var rules: [LinuxDeviceCgroup] = []
        for number in 0..<400 {
            let kind = number % 2 == 0 ? "c" : "b"
            rules.append(rule(number % 3 != 0, kind, Int64(number), Int64(number % 7), "rw"))
        }
        #expect(try run([rules + [rule(true, "c", 1, 3)]], probe) == "nwZ")
        // Numbers beyond what a signed word holds.
        #expect(try run([[rule(true, "c", 4_294_967_295, 4_000_000_000), rule(true, "c", 1, 5)]], probe) == "NWz")
    }
}
