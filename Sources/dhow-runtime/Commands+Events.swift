import Cgroups
import CommandLineKit
import ContainerRuntime
import JSON
import Kernel

extension Commands {
    static var events: Command<Action> {
        Command(
            "events", "Show a container's lack of memory, and its use of resources", usage: "[OPTIONS] CONTAINER",
            arguments: .exactly(1)
        ) { flags in
            let interval = flags.duration("interval", default: .seconds(5), "How often statistics are shown")
            let stats = flags.bool("stats", "Show statistics once and leave")
            return { surroundings, arguments in
                let container = try surroundings.runtime.store.container(arguments[0])
                guard interval.value > .zero else {
                    throw CommandFailure(message: "duration interval must be greater than 0", status: 1)
                }
                guard container.status() != .stopped else {
                    throw CommandFailure(message: "container with id \(container.id) is not running", status: 1)
                }
                if stats.value {
                    try show("stats", container, try container.cgroup.statistics().report)
                    return 0
                }
                try follow(container, every: Int(interval.value.nanoseconds / 1_000_000))
                return 0
            }
        }
    }

    private static func show(_ type: String, _ container: StoredContainer, _ data: JSONValue?) throws {
        var event = JSONObject()
        event["type"] = .string(type)
        event["id"] = .string(container.id)
        if let data { event["data"] = data }
        try FileDescriptor.standardOutput.writeAll(JSONValue.object(event).serialized() + "\n")
    }

    /// Shows events until the container's first process ends.
    private static func follow(_ container: StoredContainer, every milliseconds: Int) throws {
        let process = try ProcessDescriptor(processID: container.record.pid)
        let watch = try? container.cgroup.watchOutOfMemory()
        var next = Timestamp.monotonic.totalNanoseconds
        while true {
            let now = Timestamp.monotonic.totalNanoseconds
            if now >= next {
                try show("stats", container, try container.cgroup.statistics().report)
                next = now + Int64(milliseconds) * 1_000_000
            }
            var requests = [PollRequest(process.descriptor, .readable)]
            if let watch { requests.append(PollRequest(watch.descriptor, .readable)) }
            let events = try poll(requests, timeoutMilliseconds: max(1, Int((next - now) / 1_000_000)))
            if !events[0].isEmpty { return }
            if events.count > 1, !events[1].isEmpty, watch?.takeEvent() == true { try show("oom", container, nil) }
        }
    }
}

extension CgroupStatistics {
    /// In the form that runc prints.
    var report: JSONValue {
        [
            "cpu": cpu.report, "cpuset": [:], "memory": memory.report,
            "pids": ["current": pids.current.json, "limit": pids.limit.json], "blkio": blockIO.report,
            "hugetlb": .object(
                JSONObject(
                    hugePages.sorted { $0.key < $1.key }.map { size, pages in
                        (
                            size,
                            [
                                "usage": pages.usage.json, "max": pages.maximumUsage.json,
                                "failcnt": pages.failures.json,
                            ]
                        )
                    })),
            "intel_rdt": [:], "network_interfaces": .null,
        ]
    }
}

extension CgroupStatistics.CPU {
    fileprivate var report: JSONValue {
        [
            "usage": [
                "total": total.json, "percpu": perProcessor.json, "percpu_kernel": perProcessorKernel.json,
                "percpu_user": perProcessorUser.json, "kernel": kernel.json, "user": user.json,
            ],
            "throttling": [
                "periods": periods.json, "throttledPeriods": throttledPeriods.json, "throttledTime": throttledTime.json,
            ],
        ]
    }
}

extension CgroupStatistics.Memory {
    fileprivate var report: JSONValue {
        var object: JSONObject = [
            "cache": cache.json, "usage": usage.report, "swap": swap.report, "raw": details.json,
        ]
        if let kernel { object["kernel"] = kernel.report }
        if let kernelTCP { object["kernelTCP"] = kernelTCP.report }
        return .object(object)
    }
}

extension CgroupStatistics.Counter {
    fileprivate var report: JSONValue {
        ["limit": limit.json, "usage": usage.json, "max": maximumUsage.json, "failcnt": failures.json]
    }
}

extension CgroupStatistics.BlockIO {
    fileprivate var report: JSONValue {
        func list(_ entries: [CgroupStatistics.BlockIOEntry]) -> JSONValue {
            .array(
                entries.map {
                    [
                        "major": $0.major.json, "minor": $0.minor.json, "op": .string($0.operation),
                        "value": $0.value.json,
                    ]
                })
        }
        var object = JSONObject()
        for (name, entries) in [
            ("ioServiceBytesRecursive", serviceBytes), ("ioServicedRecursive", serviced), ("ioQueueRecursive", queued),
            ("ioServiceTimeRecursive", serviceTime), ("ioWaitTimeRecursive", waitTime), ("ioMergedRecursive", merged),
            ("ioTimeRecursive", time), ("sectorsRecursive", sectors),
        ] where !entries.isEmpty { object[name] = list(entries) }
        return .object(object)
    }
}
