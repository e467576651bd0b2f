import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var volumeGroup: Command<Action> {
        var group = Command<Action>(
            "volume", "Manage volumes",
            subcommands: [
                volumeCreate,
                inspect(
                    "Display detailed information on one or more volumes", usage: "VOLUME", prefix: "/volumes/",
                    suffix: ""),
                volumeList, volumePrune, volumeRemove,
            ])
        group.group = "Management Commands"
        return group
    }

    private static var volumeCreate: Command<Action> {
        Command<Action>(
            "create", "Create a volume", usage: "[OPTIONS] [VOLUME]", arguments: .atMost(1)
        ) { flags in
            let driver = flags.string("driver", "d", default: "local", "The volume's driver")
            let label = flags.strings("label", "Set labels on the volume")
            let name = flags.string("name", "Give the volume a name").hidden()
            let options = flags.map("opt", "o", showsEmpty: true, "Options for the driver")
            return { context, arguments in
                var request = VolumeCreateRequest()
                request.name = arguments.first ?? name.value
                if !arguments.isEmpty, !name.value.isEmpty {
                    throw ExitStatus(
                        1,
                        "conflicting options: cannot specify a volume-name through both --name and as a positional arg")
                }
                request.driver = driver.value
                request.driverOpts = options.value
                request.labels = OptionText.pairs(label.value)
                let volume = try await context.call("POST", "/volumes/create", body: request.json, as: Volume.self)
                Output.print(volume.name)
            }
        }
    }

    private static var volumeList: Command<Action> {
        var command = Command<Action>("ls", "List volumes", usage: "[OPTIONS]", arguments: ArgumentCount.none) {
            flags in
            let filter = FilterFlag(flags)
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let quiet = flags.bool("quiet", "q", "Only show names")
            return { context, _ in
                var chosen = format.value
                if chosen.isEmpty, !quiet.value { chosen = context.configuration.format("volumesFormat") ?? "" }
                let list = try await context.call("GET", "/volumes", filter.query(), as: VolumeList.self)
                let rows = list.volumes.sorted { $0.name < $1.name }.map(VolumeRow.row)
                Output.write(try VolumeRow.format.render(rows, format: chosen, quiet: quiet.value))
            }
        }
        command.aliases = ["list"]
        command.spellings = ["% volume ls", "% volume list"]
        return command
    }

    private static var volumeRemove: Command<Action> {
        var command = Command<Action>(
            "rm", "Remove one or more volumes", usage: "[OPTIONS] VOLUME [VOLUME...]", arguments: .atLeast(1)
        ) { flags in
            let force = flags.bool("force", "f", "Do not fail when there is no such volume")
            return { context, arguments in
                try await context.forEach(arguments) { name in
                    try await context.call("DELETE", "/volumes/\(name)", force.value ? [("force", "1")] : [])
                    Output.print(name)
                }
            }
        }
        command.aliases = ["remove"]
        command.spellings = ["% volume rm", "% volume remove"]
        return command
    }

    private static var volumePrune: Command<Action> {
        Command<Action>(
            "prune", "Remove unused local volumes", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let all = flags.bool("all", "a", "Remove all unused volumes, not just those without a name")
            let force = flags.bool("force", "f", "Do not ask for confirmation")
            let filter = FilterFlag(flags, "Remove only what fits (for instance label=<label>)", shorthand: nil)
            return { context, _ in
                let warning =
                    all.value
                    ? "This will remove all local volumes not used by at least one container."
                    : "This will remove anonymous local volumes not used by at least one container."
                if !force.value, !Prompt.confirm("WARNING! \(warning)\nAre you sure you want to continue?") { return }
                let report = try await context.call(
                    "POST", "/volumes/prune", filter.query(all.value ? [("all", "true")] : []),
                    as: VolumePruneReport.self)
                let deleted = report.volumesDeleted ?? []
                if !deleted.isEmpty { Output.print("Deleted Volumes:\n" + deleted.joined(separator: "\n") + "\n") }
                Output.print("Total reclaimed space: \(ByteSize.decimal(Int64(report.spaceReclaimed)))")
            }
        }
    }
}

/// A volume as `volume ls` shows it.
enum VolumeRow {
    static let format = ListFormat(
        defaultTable: "{{.Driver}}\t{{.Name}}",
        headers: [
            "Name": "VOLUME NAME", "Driver": "DRIVER", "Scope": "SCOPE", "Mountpoint": "MOUNTPOINT",
            "Labels": "LABELS", "Links": "LINKS", "Size": "SIZE", "Status": "STATUS", "Group": "GROUP",
            "Availability": "AVAILABILITY",
        ], quietField: "Name", typeName: "*formatter.volumeContext",
        rawTemplate: "name: {{.Name}}\ndriver: {{.Driver}}\n")

    static func row(_ volume: Volume) -> ListRow {
        ListRow(
            [
                ("Name", .string(volume.name)), ("Driver", .string(volume.driver)), ("Scope", .string(volume.scope)),
                ("Mountpoint", .string(volume.mountpoint)), ("Labels", .string(Shortened.labels(volume.labels))),
                ("Links", .string(volume.usageData.map { String($0.refCount) } ?? "N/A")),
                ("Size", .string(volume.usageData.map { ByteSize.decimal($0.size) } ?? "N/A")),
                ("Status", "N/A"), ("Group", "N/A"), ("Availability", "N/A"),
            ], labels: volume.labels ?? [:])
    }
}
