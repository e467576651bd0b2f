import CommandLineKit
import EngineModel
import JSON

extension Commands {
    static var update: Command<Action> {
        var command = Command<Action>(
            "update", "Update configuration of one or more containers", usage: "[OPTIONS] CONTAINER [CONTAINER...]",
            arguments: .atLeast(1)
        ) { flags in
            let blkioWeight = flags.uint(
                "blkio-weight", bits: 16, type: "uint16", defaultText: "0", "Weight of block I/O: 10 to 1000, or 0")
            let cpuPeriod = flags.int("cpu-period", "Period of the CPU limit in microseconds")
            let cpuQuota = flags.int("cpu-quota", "CPU time in each period in microseconds")
            let realtimePeriod = flags.int("cpu-rt-period", "Period of the real-time limit in microseconds")
            let realtimeRuntime = flags.int("cpu-rt-runtime", "Real-time CPU time in each period in microseconds")
            let cpusetCPUs = flags.string("cpuset-cpus", "CPUs to run on (0-3, 0,1)")
            let cpusetMems = flags.string("cpuset-mems", "Memory nodes to use (0-3, 0,1)")
            let cpuShares = flags.int("cpu-shares", "c", "Weight among those who want the CPU")
            let memory = flags.bytes("memory", "m", "Memory limit")
            let reservation = flags.bytes(
                "memory-reservation", "Memory that is kept for the container when it is short")
            let swap = flags.bytes(
                "memory-swap", unlimited: true, "Limit of memory and swap together; -1 for no limit")
            flags.bytes("kernel-memory", "Kernel memory limit").deprecated("and no longer supported by the kernel")
            let restart = flags.string("restart", "When to start the container again after it ends")
            let pidsLimit = flags.int("pids-limit", "Number of processes; -1 for no limit")
            let nanoCPUs = flags.custom("cpus", type: "decimal", default: Int64(0), "Number of CPUs") {
                (text, value, _) throws(FlagError) in value = try OptionText.nanoCPUs(text)
            }
            return { context, arguments in
                var update = ContainerUpdate()
                do throws(FlagError) {
                    update.restartPolicy = try OptionText.restartPolicy(restart.value)
                } catch {
                    throw ExitStatus(1, error.message)
                }
                update.resources.blkioWeight = UInt16(truncatingIfNeeded: blkioWeight.value)
                update.resources.cpuPeriod = cpuPeriod.value
                update.resources.cpuQuota = cpuQuota.value
                update.resources.cpuRealtimePeriod = realtimePeriod.value
                update.resources.cpuRealtimeRuntime = realtimeRuntime.value
                update.resources.cpusetCpus = cpusetCPUs.value
                update.resources.cpusetMems = cpusetMems.value
                update.resources.cpuShares = cpuShares.value
                update.resources.memory = memory.value
                update.resources.memoryReservation = reservation.value
                update.resources.memorySwap = swap.value
                update.resources.nanoCpus = nanoCPUs.value
                if pidsLimit.isSet { update.resources.pidsLimit = pidsLimit.value }
                let body = update.json
                guard body.object?.isEmpty == false else {
                    throw ExitStatus(1, "you must provide one or more flags when using this command")
                }
                try await context.forEach(arguments) { container in
                    let response = try await context.call(
                        "POST", "/containers/\(container)/update", body: body, as: ContainerUpdateResponse.self)
                    for warning in response.warnings ?? [] { Output.error(warning) }
                    Output.print(container)
                }
            }
        }
        command.spellings = ["% container update", "% update"]
        return command
    }
}
