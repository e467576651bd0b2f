import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var stats: Command<Action> {
        var command = Command<Action>(
            "stats", "Display a live stream of container(s) resource usage statistics",
            usage: "[OPTIONS] [CONTAINER...]"
        ) { flags in
            let all = flags.bool("all", "a", "Show all containers, not just those that run")
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let noStream = flags.bool("no-stream", "Print once and leave")
            let noTrunc = flags.bool("no-trunc", "Do not shorten anything")
            return { context, arguments in
                let chosen = format.value.isEmpty ? context.configuration.format("statsFormat") ?? "" : format.value
                let client = try await context.client()
                let names = arguments
                let includesStopped = all.value
                if !names.isEmpty {
                    // A name that is wrong is better reported than shown as a row of dashes.
                    for name in names { try await context.call("GET", "/containers/\(name)/json") }
                }
                while true {
                    var wanted = names
                    if wanted.isEmpty {
                        wanted = try await context.call(
                            "GET", "/containers/json", includesStopped ? [("all", "1")] : [],
                            as: [ContainerSummary].self
                        ).map(\.id)
                    }
                    let rows = await StatsRow.collect(wanted, client, truncates: !noTrunc.value)
                    let text = try StatsRow.format.render(rows, format: chosen)
                    if noStream.value {
                        Output.write(text)
                        return
                    }
                    // Home, then each line over the old one, then clear what is left: no flicker.
                    Output.write("\u{1B}[H" + text.replacing("\n", with: "\u{1B}[K\n") + "\u{1B}[J")
                    if wanted.isEmpty { try await Task.sleep(nanoseconds: 1_000_000_000) }
                }
            }
        }
        command.spellings = ["% container stats", "% stats"]
        return command
    }
}

/// A container as `stats` shows it.
enum StatsRow {
    static let format = ListFormat(
        defaultTable:
            "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
        headers: [
            "Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %",
            "MemUsage": "MEM USAGE / LIMIT", "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O",
            "PIDs": "PIDS",
        ], typeName: "*formatter.statsContext")

    /// Asks for all containers at once: each answer takes the daemon a second.
    static func collect(_ names: [String], _ client: EngineClient, truncates: Bool) async -> [ListRow] {
        let results = await withTaskGroup(of: (Int, ContainerStats?).self) { group in
            for (position, name) in names.enumerated() {
                group.addTask {
                    let request = EngineClient.Request("GET", "/containers/\(name)/stats", [("stream", "0")])
                    return (position, try? await client.call(request, as: ContainerStats.self))
                }
            }
            var results: [ContainerStats?] = Array(repeating: nil, count: names.count)
            for await (position, stats) in group { results[position] = stats }
            return results
        }
        return zip(names, results).map { row($0, $1, truncates: truncates) }
    }

    static func row(_ container: String, _ stats: ContainerStats?, truncates: Bool) -> ListRow {
        guard let stats else {
            return ListRow(
                [("Container", .string(container)), ("ID", .string(container)), ("Name", "--")]
                    + [("CPUPerc", "--"), ("MemUsage", "-- / --"), ("MemPerc", "--"), ("NetIO", "--")]
                    + [("BlockIO", "--"), ("PIDs", "--")])
        }
        let memory = stats.memoryStats
        // Page cache that nobody uses is not counted: its name differs between the two versions of control groups.
        let cache = memory.stats?["total_inactive_file"] ?? memory.stats?["inactive_file"] ?? 0
        let used = cache < memory.usage ? memory.usage - cache : memory.usage
        let share = memory.limit == 0 ? 0 : Double(used) / Double(memory.limit) * 100
        let received = (stats.networks ?? [:]).values.reduce(0.0) { $0 + Double($1.rxBytes) }
        let sent = (stats.networks ?? [:]).values.reduce(0.0) { $0 + Double($1.txBytes) }
        func blocks(_ letter: String) -> Double {
            (stats.blkioStats.serviceBytes ?? []).filter { $0.op.lowercased().hasPrefix(letter) }
                .reduce(0.0) { $0 + Double($1.value) }
        }
        func pair(_ left: Double, _ right: Double) -> JSONValue {
            .string("\(ByteSize.decimal(left, digits: 3)) / \(ByteSize.decimal(right, digits: 3))")
        }
        let name = stats.name.hasPrefix("/") ? String(stats.name.dropFirst()) : stats.name
        return ListRow([
            ("Container", .string(container)),
            ("ID", .string(truncates ? Shortened.id(stats.id) : stats.id)),
            ("Name", .string(name)),
            ("CPUPerc", .string(formatted("%.2f", processorShare(stats)) + "%")),
            ("MemUsage", .string("\(ByteSize.binary(Double(used))) / \(ByteSize.binary(Double(memory.limit)))")),
            ("MemPerc", .string(formatted("%.2f", share) + "%")),
            ("NetIO", pair(received, sent)),
            ("BlockIO", pair(blocks("r"), blocks("w"))),
            ("PIDs", .string(String(stats.pidsStats.current))),
        ])
    }

    private static func processorShare(_ stats: ContainerStats) -> Double {
        let used = Double(stats.cpuStats.usage.total) - Double(stats.precpuStats.usage.total)
        let system = Double(stats.cpuStats.systemUsage) - Double(stats.precpuStats.systemUsage)
        let perCPU = stats.cpuStats.usage.perCPU?.count ?? 0
        let processors = stats.cpuStats.onlineCPUs > 0 ? Double(stats.cpuStats.onlineCPUs) : Double(perCPU)
        return system > 0 && used > 0 ? used / system * processors * 100 : 0
    }
}
