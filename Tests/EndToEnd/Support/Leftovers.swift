import Foundation

/// What a daemon has left on the host: everything listed here must belong to a container that exists.
struct Leftovers: Equatable, CustomStringConvertible {
    var mounts: [String]
    var processes: [String]
    var cgroups: [String]
    var files: [String]

    var isEmpty: Bool { mounts.isEmpty && processes.isEmpty && cgroups.isEmpty && files.isEmpty }
    var description: String {
        "mounts \(mounts)\nprocesses \(processes)\ncgroups \(cgroups)\nfiles \(files)"
    }

    /// Looks for traces of `daemon` beyond the containers whose full IDs are `known`.
    static func of(_ daemon: Daemon, besides known: [String] = [], ids: Set<String> = []) -> Leftovers {
        func isKnown(_ text: String) -> Bool { known.contains { text.contains($0) } }
        let root = daemon.directory.path
        let mounts = ((try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? "")
            .components(separatedBy: "\n").filter { $0.contains(root) && !isKnown($0) }

        var processes: [String] = []
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard Int(entry) != nil, let data = FileManager.default.contents(atPath: "/proc/\(entry)/cmdline") else {
                continue
            }
            let line = String(decoding: data.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
            if line.contains("dhow-runtime"), line.contains(root), !isKnown(line) { processes.append(line) }
        }

        var cgroups: [String] = []
        if let found = try? Shell.run(["find", "/sys/fs/cgroup", "-type", "d", "-name", "*dhow*"]).lines {
            for parent in found {
                let names = (try? Shell.run(["find", parent, "-mindepth", "0", "-type", "d"]).lines) ?? []
                cgroups += names.filter { path in
                    ids.contains { path.contains($0) } && !isKnown(path)
                }
            }
        }

        var files: [String] = []
        for directory in [daemon.dataRoot + "/containers", daemon.execRoot + "/containers"] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
            files += names.filter { !isKnown($0) }.map { directory + "/" + $0 }
        }
        return Leftovers(mounts: mounts, processes: processes, cgroups: cgroups, files: files)
    }
}
