import Cgroups
import OCI
import Testing

@Suite struct V2ConversionTests {
    @Test func sharesBecomeWeights() {
        // The three points that define the curve, and monotony between them.
        #expect(CgroupConversion.weight(shares: 0) == 0)
        #expect(CgroupConversion.weight(shares: 1) == 1)
        #expect(CgroupConversion.weight(shares: 2) == 1)
        #expect(CgroupConversion.weight(shares: 1024) == 100)
        #expect(CgroupConversion.weight(shares: 262144) == 10000)
        #expect(CgroupConversion.weight(shares: .max) == 10000)
        var last: UInt64 = 0
        for shares in stride(from: UInt64(2), through: 262144, by: 37) {
            let weight = CgroupConversion.weight(shares: shares)
            #expect(weight >= last && weight <= 10000)
            last = weight
        }
        #expect(CgroupConversion.ioWeight(blkioWeight: 10) == 1)
        #expect(CgroupConversion.ioWeight(blkioWeight: 1000) == 10000)
        #expect(CgroupConversion.ioWeight(blkioWeight: 0) == 0)
    }

    @Test func memoryAndSwapAreTakenApart() throws {
        func values(_ limit: Int64, _ swap: Int64) throws -> [String?] {
            let values = try CgroupConversion.memory(limit: limit, swap: swap)
            return [values.memory, values.swap]
        }
        #expect(try values(0, 0) == [nil, nil])
        #expect(try values(100, 0) == ["100", nil])
        #expect(try values(100, 100) == ["100", "0"])
        #expect(try values(100, 250) == ["100", "150"])
        #expect(try values(100, -1) == ["100", "max"])
        #expect(try values(-1, 0) == ["max", "max"])
        #expect(try values(-1, -1) == ["max", "max"])
        for (limit, swap) in [(0, 100), (-1, 100), (100, 50), (100, -5), (-7, 100)] as [(Int64, Int64)] {
            #expect(failure { _ = try values(limit, swap) }?.code == .invalidResource, "\(limit) \(swap)")
        }
    }

    /// A directory that looks like a cgroup: what is written stays.
    private func withFakeCgroup(
        _ files: [String: String], _ body: (TemporaryDirectory, any Cgroup) throws -> Void
    ) throws {
        let directory = try TemporaryDirectory()
        for (name, text) in files { try directory.write(name, text) }
        try body(directory, CgroupHost.cgroup(CgroupReference(version: .v2, paths: ["": directory.path])))
    }

    @Test func resourcesAreWritten() throws {
        let names = [
            "cpu.weight", "cpu.max", "cpu.max.burst", "cpuset.cpus", "cpuset.mems", "memory.max", "memory.low",
            "memory.swap.max", "pids.max", "io.weight", "io.max", "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "rdma.max",
            "memory.high",
        ]
        try withFakeCgroup(Dictionary(uniqueKeysWithValues: names.map { ($0, "") })) { directory, cgroup in
            let resources = try LinuxResources(
                parsing: Array(
                    """
                    {"cpu": {"shares": 512, "quota": 50000, "period": 200000, "burst": 1000,
                             "cpus": "0-1", "mems": "0"},
                     "memory": {"limit": 1000000, "swap": 3000000, "reservation": 500000, "swappiness": 10},
                     "pids": {"limit": 77}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
                     "blockIO": {"weight": 500, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1024}]},
                     "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 1000}},
                     "unified": {"memory.high": "900000"}}
                    """.utf8))
            try cgroup.apply(resources)
            let expected = [
                "cpu.weight": "\(CgroupConversion.weight(shares: 512))", "cpu.max": "50000 200000",
                "cpu.max.burst": "1000", "cpuset.cpus": "0-1", "cpuset.mems": "0", "memory.max": "1000000",
                "memory.swap.max": "2000000", "memory.low": "500000", "pids.max": "77", "io.weight": "default 4950",
                "io.max": "8:0 rbps=1024", "hugetlb.2MB.max": "4194304", "hugetlb.2MB.rsvd.max": "4194304",
                "rdma.max": "mlx5_1 hca_handle=3 hca_object=1000", "memory.high": "900000",
            ]
            for (name, value) in expected { #expect(try directory.read(name) == value, "\(name)") }
            // Only a period: the quota stays.
            var update = LinuxResources()
            var cpu = LinuxCPU()
            cpu.period = 100000
            update.cpu = cpu
            try cgroup.apply(update)
            #expect(try directory.read("cpu.max") == "50000 100000")
        }
    }

    @Test func missingControllersAreNamed() throws {
        try withFakeCgroup([:]) { _, cgroup in
            for (json, word) in [
                (#"{"pids": {"limit": 5}}"#, "pids"), (#"{"memory": {"limit": 5}}"#, "memory"),
                (#"{"cpu": {"shares": 5}}"#, "cpu"), (#"{"unified": {"misc.max": "1"}}"#, "misc"),
            ] {
                let resources = try LinuxResources(parsing: Array(json.utf8))
                let error = failure { try cgroup.apply(resources) }
                #expect(error?.code == .noController, "\(json)")
                #expect(error?.description.contains("controller \(word)") == true, "\(error?.description ?? "")")
            }
        }
        // No swap accounting: nothing to forbid.
        try withFakeCgroup(["memory.max": ""]) { _, cgroup in
            try cgroup.apply(LinuxResources(parsing: Array(#"{"memory": {"limit": 5, "swap": 5}}"#.utf8)))
        }
    }

    @Test func nonsenseIsRefused() throws {
        try withFakeCgroup(["cgroup.procs": "", "hugetlb.x.max": ""]) { _, cgroup in
            for json in [
                #"{"unified": {"../x": "1"}}"#, #"{"unified": {"cgroup.procs": "1"}}"#, #"{"unified": {"": "1"}}"#,
                #"{"hugepageLimits": [{"pageSize": "x/../y", "limit": 1}]}"#, #"{"network": {"classID": 1}}"#,
                #"{"cpu": {"realtimeRuntime": 100}}"#, #"{"devices": [{"allow": true, "type": "x"}]}"#,
                #"{"devices": [{"allow": true, "type": "c", "access": "rz"}]}"#,
                #"{"devices": [{"allow": true, "type": "c", "major": -2}]}"#,
            ] {
                let resources = try LinuxResources(parsing: Array(json.utf8))
                #expect(failure { try cgroup.apply(resources) }?.code == .invalidResource, "\(json)")
            }
        }
    }

    @Test func statisticsAreRead() throws {
        let files = [
            "cpu.stat": "usage_usec 12\nuser_usec 7\nsystem_usec 5\nnr_periods 3\nnr_throttled 2\nthrottled_usec 9\n",
            "memory.current": "4096\n", "memory.max": "max\n", "memory.peak": "8192\n",
            "memory.swap.current": "10\n", "memory.swap.max": "100\n",
            "memory.stat": "anon 5\nfile 6\n", "memory.events": "low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\n",
            "pids.current": "3\n", "pids.max": "max\n",
            "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\ngarbage\n",
            "cpu.pressure":
                "some avg10=1.50 avg60=0.00 avg300=0.00 total=44\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=1\n",
            "cgroup.procs": "12\n34\n",
        ]
        try withFakeCgroup(files) { _, cgroup in
            let statistics = try cgroup.statistics()
            #expect(statistics.cpu.total == 12000 && statistics.cpu.throttledTime == 9000)
            #expect(statistics.memory.usage.usage == 4096 && statistics.memory.usage.limit == .max)
            #expect(statistics.memory.usage.maximumUsage == 8192 && statistics.memory.cache == 6)
            #expect(statistics.memory.swap.usage == 4106 && statistics.memory.swap.limit == .max)
            #expect(statistics.memory.swapOnly?.limit == 100)
            #expect(statistics.memory.outOfMemoryKills == 1)
            #expect(statistics.pids.current == 3 && statistics.pids.limit == 0)
            #expect(statistics.blockIO.serviceBytes.map(\.value) == [1, 2, 5])
            #expect(statistics.blockIO.serviced.map(\.operation) == ["Read", "Write", "Discard"])
            #expect(statistics.cpu.pressure?.some.average10 == 1.5 && statistics.cpu.pressure?.full.total == 1)
            #expect(try cgroup.processes() == [12, 34])
        }
    }
}
