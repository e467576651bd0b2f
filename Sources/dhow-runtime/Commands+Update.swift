import CommandLineKit
import ContainerRuntime
import JSON
import Kernel
import OCI

extension Commands {
    static var update: Command<Action> {
        Command(
            "update", "Change a container's limits", usage: "[OPTIONS] CONTAINER", arguments: .exactly(1)
        ) { flags in
            let update = UpdateFlags(flags)
            return { surroundings, arguments in
                try surroundings.runtime.update(arguments[0], try update.resources())
                return 0
            }
        }
    }
}

/// The flags of `update`.
struct UpdateFlags {
    private let file: Flag<String>
    private let blkioWeight: Flag<UInt64>
    private let numbers: [String: Flag<String>]
    private let cpus: Flag<String>
    private let mems: Flag<String>

    init(_ flags: FlagSet) {
        file = flags.string("resources", "r", "File with resources in JSON; - is standard input")
        blkioWeight = flags.uint("blkio-weight", bits: 16, "Block I/O weight, 10 to 1000")
        let names: [(String, String)] = [
            ("cpu-period", "CPU period in microseconds"), ("cpu-quota", "CPU quota in microseconds"),
            ("cpu-burst", "CPU burst in microseconds"), ("cpu-share", "CPU shares"),
            ("cpu-rt-period", "CPU realtime period in microseconds"),
            ("cpu-rt-runtime", "CPU realtime runtime in microseconds"), ("cpu-idle", "1 for the idle scheduler, or 0"),
            ("kernel-memory", "Obsolete"), ("kernel-memory-tcp", "Kernel memory for TCP buffers in bytes"),
            ("memory", "Memory limit in bytes"), ("memory-reservation", "Memory reservation in bytes"),
            ("memory-swap", "Memory plus swap in bytes; -1 is unlimited"),
            ("pids-limit", "Limit of tasks; -1 is unlimited"),
        ]
        var numbers: [String: Flag<String>] = [:]
        for (name, help) in names { numbers[name] = flags.string(name, type: "value", help) }
        self.numbers = numbers
        cpus = flags.string("cpuset-cpus", "Processors to use")
        mems = flags.string("cpuset-mems", "Memory nodes to use")
        flags.string("l3-cache-schema", "Intel RDT L3 cache schema").hidden()
        flags.string("mem-bw-schema", "Intel RDT memory bandwidth schema").hidden()
    }

    func resources() throws -> LinuxResources {
        if file.isSet {
            let path = file.value == "-" ? "/dev/stdin" : file.value
            return try LinuxResources(parsing: try FileDescriptor.currentDirectory.readFile(path))
        }
        var cpu = LinuxCPU()
        cpu.period = try unsigned("cpu-period")
        cpu.quota = try number("cpu-quota")
        cpu.burst = try unsigned("cpu-burst")
        cpu.shares = try unsigned("cpu-share")
        cpu.realtimePeriod = try unsigned("cpu-rt-period")
        cpu.realtimeRuntime = try number("cpu-rt-runtime")
        cpu.idle = try number("cpu-idle")
        cpu.cpus = cpus.isSet ? cpus.value : nil
        cpu.mems = mems.isSet ? mems.value : nil
        var memory = LinuxMemory()
        memory.limit = try size("memory")
        memory.reservation = try size("memory-reservation")
        memory.swap = try size("memory-swap")
        memory.kernelTCP = try size("kernel-memory-tcp")
        var resources = LinuxResources()
        if cpu != LinuxCPU() { resources.cpu = cpu }
        if memory != LinuxMemory() { resources.memory = memory }
        if let limit = try number("pids-limit") { resources.pids = LinuxPids(limit: limit) }
        if blkioWeight.isSet {
            var blockIO = LinuxBlockIO()
            blockIO.weight = UInt16(clamping: blkioWeight.value)
            resources.blockIO = blockIO
        }
        return resources
    }

    private func text(_ name: String) -> String? {
        guard let flag = numbers[name], flag.isSet, !flag.value.isEmpty else { return nil }
        return flag.value
    }

    private func number(_ name: String) throws -> Int64? {
        guard let text = text(name) else { return nil }
        guard let value = Int64(text) else { throw invalid(name, text) }
        return value
    }

    private func unsigned(_ name: String) throws -> UInt64? {
        guard let text = text(name) else { return nil }
        guard let value = UInt64(text) else { throw invalid(name, text) }
        return value
    }

    private func size(_ name: String) throws -> Int64? {
        guard let text = text(name) else { return nil }
        if text == "-1" { return -1 }
        guard let value = try? ByteSize.parseBinary(text) else { throw invalid(name, text) }
        return value
    }

    private func invalid(_ name: String, _ text: String) -> CommandFailure {
        CommandFailure(message: "invalid value for \(name): \"\(text)\"", status: 1)
    }
}
