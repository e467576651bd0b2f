import CommandLineKit
import ContainerRuntime
import JSON
import Kernel
import OCI

extension Commands {
    static var state: Command<Action> {
        Command(
            "state", "Show the state of a container", usage: "CONTAINER", arguments: .exactly(1)
        ) { _ in
            { surroundings, arguments in
                let container = try surroundings.runtime.store.container(arguments[0])
                // As with runc, only `list` looks the owner up.
                print(summary(of: container, owner: container.record.owner).serialized(.pretty))
                return 0
            }
        }
    }

    /// As `state` and `list` show a container.
    private static func summary(of container: StoredContainer, owner: String) -> JSONValue {
        let state = container.state()
        var object = JSONObject()
        object["ociVersion"] = .string(state.ociVersion)
        object["id"] = .string(state.id)
        object["pid"] = (state.pid ?? 0).json
        object["status"] = .string(state.status)
        object["bundle"] = .string(state.bundle)
        object["rootfs"] = .string(container.record.rootfs)
        object["created"] = .string(container.record.created)
        if let annotations = state.annotations, !annotations.isEmpty { object["annotations"] = annotations.json }
        object["owner"] = .string(owner)
        return .object(object)
    }

    static var list: Command<Action> {
        Command(
            "list", "List containers", usage: "[OPTIONS]", arguments: .none
        ) { flags in
            let format = flags.string("format", "f", default: "table", "table or json")
            let quiet = flags.bool("quiet", "q", "Show only identifiers")
            return { surroundings, _ in
                let containers = try surroundings.runtime.store.all()
                if quiet.value {
                    for container in containers { print(container.id) }
                    return 0
                }
                switch format.value {
                case "json":
                    let rows = containers.map { summary(of: $0, owner: owner(of: $0)) }
                    print(rows.isEmpty ? "null" : JSONValue.array(rows).serialized())
                case "table":
                    var table = Table(minimumWidth: 12, padding: 3)
                    table.add(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])
                    for container in containers {
                        let state = container.state()
                        table.add([
                            state.id, "\(state.pid ?? 0)", state.status, state.bundle, container.record.created,
                            owner(of: container),
                        ])
                    }
                    print(table.rendered(), terminator: "")
                default: throw CommandFailure(message: "invalid format option", status: 1)
                }
                return 0
            }
        }
    }

    /// The name of the user whose directory holds the container's state.
    private static func owner(of container: StoredContainer) -> String {
        guard let uid = try? FileDescriptor.currentDirectory.status(of: container.directory).userID else { return "" }
        let text = (try? FileDescriptor.currentDirectory.readText("/etc/passwd")) ?? ""
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, UInt32(fields[2]) == uid { return String(fields[0]) }
        }
        return "#\(uid)"
    }

    static var ps: Command<Action> {
        Command(
            "ps", "Show the processes of a container", usage: "[OPTIONS] CONTAINER [PS OPTIONS]",
            arguments: .atLeast(1),
            isInterspersed: false
        ) { flags in
            let format = flags.string("format", "f", default: "table", "table or json")
            return { surroundings, arguments in
                let container = try surroundings.runtime.store.container(arguments[0])
                let processes = try container.cgroup.processes()
                switch format.value {
                case "json": print(processes.json.serialized())
                case "table":
                    try printTable(of: processes, arguments.count > 1 ? Array(arguments.dropFirst()) : ["-ef"])
                default: throw CommandFailure(message: "invalid format option", status: 1)
                }
                return 0
            }
        }
    }

    /// Lets ps(1) list everything, and shows the lines that are about `processes`.
    private static func printTable(of processes: [Int32], _ options: [String]) throws {
        guard
            let path = ["/usr/bin/ps", "/bin/ps", "/run/current-system/sw/bin/ps"].first(where: {
                FileDescriptor.currentDirectory.exists($0)
            })
        else { throw CommandFailure(message: "ps is not installed; use --format json", status: 1) }
        let output = try Subprocess.run(.init(path, arguments: ["ps"] + options), outputLimit: 64 << 20)
        guard output.status.isSuccess else {
            throw CommandFailure(message: "ps failed: \(output.standardErrorText)", status: 1)
        }
        let lines = String(decoding: output.standardOutput, as: UTF8.self).split(separator: "\n")
        guard let header = lines.first, let column = header.split(separator: " ").firstIndex(of: "PID") else {
            throw CommandFailure(message: "couldn't find PID field in ps output", status: 1)
        }
        print(header)
        for line in lines.dropFirst() {
            let fields = line.split(separator: " ")
            if column < fields.count, let pid = Int32(fields[column]), processes.contains(pid) { print(line) }
        }
    }

    static var features: Command<Action> {
        Command(
            "features", "Show what this runtime can do", arguments: .none
        ) { _ in
            { _, _ in
                print(RuntimeInformation.features(version: RuntimeProgram.version).json.serialized(.pretty))
                return 0
            }
        }
    }

    static var spec: Command<Action> {
        Command(
            "spec", "Write a template of a specification file", usage: "[OPTIONS]", arguments: .none
        ) { flags in
            let bundle = flags.string("bundle", "b", "Directory to write config.json to")
            let rootless = flags.bool("rootless", "For a rootless container")
            return { _, _ in
                if !bundle.value.isEmpty { try changeWorkingDirectory(to: bundle.value) }
                guard !FileDescriptor.currentDirectory.exists("config.json") else {
                    throw CommandFailure(message: "File config.json exists. Remove it first", status: 1)
                }
                var specification = RuntimeSpec.template
                if rootless.value {
                    specification.makeRootless(
                        userID: Credentials.effectiveUserID, groupID: Credentials.effectiveGroupID)
                }
                try FileDescriptor.currentDirectory.writeFile(
                    "config.json", specification.json.serialized(.pretty), creating: true, mode: 0o666)
                return 0
            }
        }
    }

    static var plan: Command<Action> {
        Command(
            "plan", "Show the steps that a bundle's start would take", usage: "[OPTIONS]", arguments: .none
        ) { flags in
            let launch = LaunchFlags(flags)
            return { surroundings, _ in
                var ready = try launch.load("plan", surroundings, isDetached: false)
                ready.options.consoleSocket = nil
                print(try LaunchPlan(ready.specification, ready.options))
                return 0
            }
        }
    }
}
