import Cgroups
import EngineModel
import Glibc
import Kernel

extension ContainerEngine {
    /// - Parameter arguments: ps's; empty for `-ef`, which needs no ps.
    public func top(_ name: String, arguments: String) async throws -> ContainerTop {
        let container = try registry.find(name)
        let run = try runOf(container)
        let words = arguments.split(separator: " ").map(String.init)
        for word in words
        where word.contains("pid=")
            && word.split(separator: ",").contains(where: { part in
                part.hasPrefix("pid=") && part != "pid=PID"
            })
        {
            throw EngineError.invalid("specifying \"\(word)\" is not allowed")
        }
        let top = try await blocking { () throws -> ContainerTop in
            let cgroup = try self.cgroups.cgroup(
                path: run.cgroupsPath, containerID: container.id, driver: self.cgroupDriver)
            let processes = try cgroup.processes()
            if words.isEmpty || words == ["-ef"] { return ProcessTable.full(processes) }
            return try ProcessTable.parse(Self.ps(words), processes: Set(processes))
        }
        post(container, "top")
        return top
    }

    /// What the host's ps prints; blocks.
    private static func ps(_ options: [String]) throws -> String {
        let output = try Subprocess.run(
            .init(
                "ps", arguments: ["ps"] + options,
                environment: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
            outputLimit: 16 << 20)
        guard output.status.isSuccess else {
            let reason = output.standardErrorText.split(separator: "\n").first ?? "it failed"
            throw EngineError.invalid("ps: \(reason)")
        }
        return String(decoding: output.standardOutput, as: UTF8.self)
    }
}

/// Tables of processes, as ps prints them.
package enum ProcessTable {
    /// `ps -ef` of these processes, without ps.
    package static func full(_ processes: [Int32]) -> ContainerTop {
        var users: [UInt32: String] = [:]
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        let uptime = Double(HostFiles.line("/proc/uptime")?.split(separator: " ").first ?? "0") ?? 0
        let now = Double(time(nil))
        var rows: [[String]] = []
        for process in processes.sorted() {
            guard let statistics = try? ProcessFiles.statistics(of: process),
                let status = try? FileDescriptor.currentDirectory.status(of: "/proc/\(process)")
            else { continue }
            let used = Double(statistics.userTime + statistics.systemTime) / ticks
            let age = max(0, uptime - Double(statistics.startTime) / ticks)
            let share = age > 0 ? Int(used * 100 / age) : 0
            let user = users[status.userID] ?? userName(status.userID)
            users[status.userID] = user
            rows.append([
                user, "\(process)", "\(statistics.parentID)", "\(share)", startTime(now - age, age: age),
                terminal(process), clock(Int(used)), command(process, statistics.command),
            ])
        }
        return ContainerTop(
            titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], processes: rows)
    }

    private static func userName(_ id: UInt32) -> String {
        guard let entry = getpwuid(id), let name = entry.pointee.pw_name else { return "\(id)" }
        return String(cString: name)
    }

    /// The hour of the day, or the date when it is longer ago.
    private static func startTime(_ seconds: Double, age: Double) -> String {
        var moment = time_t(seconds)
        var parts = tm()
        localtime_r(&moment, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        strftime(&buffer, buffer.count, age < 86_400 ? "%H:%M" : "%b%d", &parts)
        return buffer.withUnsafeBufferPointer { pointer in pointer.baseAddress.map { String(cString: $0) } ?? "" }
    }

    private static func clock(_ seconds: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
    }

    private static func terminal(_ process: Int32) -> String {
        // The seventh field of stat; major 136 and above are pseudo-terminals.
        guard let text = HostFiles.line("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return "?" }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 4, let number = Int(fields[4]), number > 0 else { return "?" }
        let major = number >> 8 & 0xFFF
        let minor = number & 0xFF | number >> 12 & 0xFFF00
        return (136...143).contains(major) ? "pts/\(minor)" : "?"
    }

    private static func command(_ process: Int32, _ name: String) -> String {
        let words = (HostFiles.text("/proc/\(process)/cmdline") ?? "").split(separator: "\0")
        return words.isEmpty ? "[\(name)]" : words.joined(separator: " ")
    }

    /// The lines of ps's output that are of these processes.
    package static func parse(_ output: String, processes: Set<Int32>) throws(EngineError) -> ContainerTop {
        let lines = output.split(separator: "\n").map(String.init)
        guard let header = lines.first else { throw EngineError(.system, "ps printed nothing") }
        let titles = header.split(whereSeparator: \.isWhitespace).map(String.init)
        guard let place = titles.firstIndex(of: "PID") else {
            throw .invalid("Couldn't find PID field in ps output")
        }
        var rows: [[String]] = []
        var isIncluded = false
        for line in lines.dropFirst() {
            let fields = line.split(separator: " ", maxSplits: titles.count - 1).map(String.init)
            guard fields.count > place else { continue }
            // With -m, threads follow their process with a dash for the PID.
            if fields[place] == "-" {
                if isIncluded { rows.append(fields) }
                continue
            }
            guard let process = Int32(fields[place]) else {
                throw .invalid("Unexpected pid '\(fields[place])'")
            }
            isIncluded = processes.contains(process)
            if isIncluded { rows.append(fields) }
        }
        return ContainerTop(titles: titles, processes: rows)
    }
}
