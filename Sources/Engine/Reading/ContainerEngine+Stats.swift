import Cgroups
import EngineModel
import Glibc

extension ContainerEngine {
    /// - Parameters:
    ///   - stream: a sample a second, without end; otherwise one.
    ///   - oneShot: the one sample at once, without the previous one to compare with.
    public func stats(
        _ name: String, stream: Bool, oneShot: Bool
    ) async throws -> AsyncThrowingStream<ContainerStats, any Error> {
        let container = try registry.find(name)
        if stream, oneShot { throw EngineError.invalid("cannot have stream=true and one-shot=true") }
        let sampler = StatsSampler(self, container)
        if !stream {
            return AsyncThrowingStream { continuation in
                let task = Task {
                    do {
                        if !oneShot, container.run != nil {
                            _ = try await sampler.next()
                            try await Task.sleep(for: .seconds(1))
                        }
                        continuation.yield(try await sampler.next())
                        continuation.finish()
                    } catch {
                        continuation.finish(throwing: error)
                    }
                }
                continuation.onTermination = { _ in task.cancel() }
            }
        }
        return AsyncThrowingStream(bufferingPolicy: .bufferingNewest(2)) { continuation in
            let task = Task {
                do {
                    var isFirst = true
                    while !Task.isCancelled, container.removal.current == nil {
                        if !isFirst { try await Task.sleep(for: .seconds(1)) }
                        isFirst = false
                        continuation.yield(try await sampler.next())
                    }
                    continuation.finish()
                } catch is CancellationError {
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// What a container uses now; blocks. Without a run everything is zero.
    func sample(_ container: Container) throws -> ContainerStats {
        var stats = ContainerStats()
        stats.id = container.id
        stats.name = "/" + container.name
        stats.osType = "linux"
        guard let run = container.run else { return stats }
        stats.read = Timestamp.now.description
        let cgroup = try cgroups.cgroup(path: run.cgroupsPath, containerID: container.id, driver: cgroupDriver)
        guard let usage = try? cgroup.statistics() else { return stats }
        stats.cpuStats.usage.total = usage.cpu.total
        stats.cpuStats.usage.kernel = usage.cpu.kernel
        stats.cpuStats.usage.user = usage.cpu.user
        if !usage.cpu.perProcessor.isEmpty { stats.cpuStats.usage.perCPU = usage.cpu.perProcessor }
        stats.cpuStats.throttling.periods = usage.cpu.periods
        stats.cpuStats.throttling.throttledPeriods = usage.cpu.throttledPeriods
        stats.cpuStats.throttling.throttledTime = usage.cpu.throttledTime
        stats.cpuStats.systemUsage = SystemClock.usage()
        stats.cpuStats.onlineCPUs = UInt32(host.cpuCount)
        stats.memoryStats.usage = usage.memory.usage.usage
        if cgroup.version == .v1 { stats.memoryStats.maxUsage = usage.memory.usage.maximumUsage }
        stats.memoryStats.failcnt = usage.memory.usage.failures
        stats.memoryStats.stats = usage.memory.details
        // Without a limit the machine is the limit.
        let limit = usage.memory.usage.limit
        stats.memoryStats.limit = limit == 0 ? UInt64(host.memory) : min(limit, UInt64(host.memory))
        stats.pidsStats.current = usage.pids.current
        stats.pidsStats.limit = usage.pids.limit == 0 ? UInt64.max : usage.pids.limit
        func entries(_ list: [CgroupStatistics.BlockIOEntry]) -> [ContainerStats.BlockIO.Entry]? {
            list.isEmpty && cgroup.version == .v2
                ? nil
                : list.map {
                    ContainerStats.BlockIO.Entry(
                        major: $0.major, minor: $0.minor, op: $0.operation.lowercased(), value: $0.value)
                }
        }
        stats.blkioStats.serviceBytes = entries(usage.blockIO.serviceBytes)
        stats.blkioStats.serviced = entries(usage.blockIO.serviced)
        stats.blkioStats.queued = entries(usage.blockIO.queued)
        stats.blkioStats.serviceTime = entries(usage.blockIO.serviceTime)
        stats.blkioStats.waitTime = entries(usage.blockIO.waitTime)
        stats.blkioStats.merged = entries(usage.blockIO.merged)
        stats.blkioStats.time = entries(usage.blockIO.time)
        stats.blkioStats.sectors = entries(usage.blockIO.sectors)
        stats.networks = networkStats(of: container, run)
        return stats
    }

    /// The interfaces of a network of the container's own, but the loopback.
    private func networkStats(of container: Container, _ run: ContainerRun) -> [String: ContainerStats.Network]? {
        guard container.record.hostConfig.networkMode != "host",
            let text = HostFiles.text("/proc/\(run.processID)/net/dev")
        else { return nil }
        var networks: [String: ContainerStats.Network] = [:]
        for line in text.split(separator: "\n").dropFirst(2) {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let name = HostFiles.trim(parts[0])
            let numbers = parts[1].split(separator: " ").compactMap { UInt64($0) }
            guard name != "lo", numbers.count >= 12 else { continue }
            var network = ContainerStats.Network()
            (network.rxBytes, network.rxPackets) = (numbers[0], numbers[1])
            (network.rxErrors, network.rxDropped) = (numbers[2], numbers[3])
            (network.txBytes, network.txPackets) = (numbers[8], numbers[9])
            (network.txErrors, network.txDropped) = (numbers[10], numbers[11])
            networks[name] = network
        }
        return networks.isEmpty ? nil : networks
    }
}

/// Takes samples of one container, each with the one before it.
private actor StatsSampler {
    private let engine: ContainerEngine
    private let container: Container
    private var previous: ContainerStats?

    init(_ engine: ContainerEngine, _ container: Container) {
        self.engine = engine
        self.container = container
    }

    func next() async throws -> ContainerStats {
        let (engine, container) = (engine, container)
        var stats = try await engine.blocking { try engine.sample(container) }
        if let previous {
            stats.preread = previous.read
            stats.precpuStats = previous.cpuStats
        }
        previous = stats
        return stats
    }
}

/// The time that all processors together have spent, busy or not.
private enum SystemClock {
    /// Nanoseconds.
    static func usage() -> UInt64 {
        guard let line = HostFiles.line("/proc/stat"), line.hasPrefix("cpu ") else { return 0 }
        // user, nice, system, idle, iowait, irq, softirq, steal; what guests use is in user already.
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { UInt64($0) }.reduce(0, &+)
        return ticks &* (1_000_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))))
    }
}
