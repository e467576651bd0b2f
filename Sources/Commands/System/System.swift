import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var events: Command<Action> {
        var command = Command<Action>(
            "events", "Get real time events from the server", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let filter = FilterFlag(flags)
            let format = flags.string("format", "How to print: 'json' or a Go template")
            let since = flags.string("since", "Show what happened after a time or an age (42m)")
            let until = flags.string("until", "Stop at a time or an age (42m)")
            return { context, _ in
                let template = format.value.isEmpty || format.value == "json" ? nil : try ListFormat.parse(format.value)
                var query = filter.query()
                for (name, flag) in [("since", since), ("until", until)] where !flag.value.isEmpty {
                    do throws(FlagError) {
                        query.append((name, try Moment.apiValue(flag.value)))
                    } catch {
                        throw ExitStatus(1, "invalid value for \(goQuoted(name)): \(error.message)")
                    }
                }
                let stream = try await context.client().stream(EngineClient.Request("GET", "/events", query))
                for try await value in stream.documents {
                    if let template {
                        do throws(TemplateError) {
                            Output.print(try template.render(value.withGoNames))
                        } catch {
                            throw ExitStatus(1, error.message)
                        }
                    } else if format.value == "json" {
                        Output.print(value.serialized())
                    } else {
                        Output.print(try line(EventMessage(json: value)))
                    }
                }
            }
        }
        command.spellings = ["% system events", "% events"]
        return command
    }

    private static func line(_ event: EventMessage) -> String {
        let moment =
            event.timeNano != 0
            ? Moment(seconds: event.timeNano / 1_000_000_000, nanoseconds: event.timeNano % 1_000_000_000)
            : Moment(seconds: event.time)
        var text = "\(moment.localRFC3339()) \(event.type) \(event.action) \(event.actor.id)"
        if !event.actor.attributes.isEmpty {
            let attributes = event.actor.attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            text += " (\(attributes.joined(separator: ", ")))"
        }
        return text
    }

    static var diskUsage: Command<Action> {
        Command<Action>(
            "df", "Show how much disk space is used", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let verbose = flags.bool("verbose", "v", "Show each thing")
            return { context, _ in
                let usage = try await context.call("GET", "/system/df", as: DiskUsage.self)
                if verbose.value {
                    Output.write(try verboseUsage(usage))
                    return
                }
                let list = ListFormat(
                    defaultTable: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                    headers: [
                        "Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE",
                        "Reclaimable": "RECLAIMABLE",
                    ], typeName: "*formatter.diskUsageContext")
                Output.write(try list.render(usageRows(usage), format: format.value))
            }
        }
    }

    private static func usageRows(_ usage: DiskUsage) -> [ListRow] {
        func row(_ type: String, total: Int, active: Int, size: Int64, reclaimable: Int64) -> ListRow {
            var free = ByteSize.decimal(reclaimable)
            if size > 0 { free += " (\(reclaimable * 100 / size)%)" }
            return ListRow([
                ("Type", .string(type)), ("TotalCount", .string(String(total))), ("Active", .string(String(active))),
                ("Size", .string(ByteSize.decimal(size))), ("Reclaimable", .string(free)),
            ])
        }
        let images = usage.images ?? []
        let used = images.filter { $0.containers > 0 }
        let usedSize = used.reduce(Int64(0)) { $0 + $1.size - max(0, $1.sharedSize) }
        let containers = usage.containers ?? []
        let isActive = { (container: ContainerSummary) in ["running", "paused", "restarting"].contains(container.state)
        }
        let volumes = usage.volumes ?? []
        func size(_ volume: Volume) -> Int64 { max(0, volume.usageData?.size ?? 0) }
        return [
            row(
                "Images", total: images.count, active: used.count, size: usage.layersSize,
                reclaimable: max(0, usage.layersSize - usedSize)),
            row(
                "Containers", total: containers.count, active: containers.count(where: isActive),
                size: containers.reduce(0) { $0 + $1.sizeRw },
                reclaimable: containers.filter { !isActive($0) }.reduce(0) { $0 + $1.sizeRw }),
            row(
                "Local Volumes", total: volumes.count,
                active: volumes.count { ($0.usageData?.refCount ?? 0) > 0 },
                size: volumes.reduce(0) { $0 + size($1) },
                reclaimable: volumes.filter { ($0.usageData?.refCount ?? 0) == 0 }.reduce(0) { $0 + size($1) }),
            row("Build Cache", total: usage.buildCache?.count ?? 0, active: 0, size: 0, reclaimable: 0),
        ]
    }

    private static func verboseUsage(_ usage: DiskUsage) throws -> String {
        let images = (usage.images ?? []).flatMap { ImageRow.rows($0, truncates: true, digests: false).prefix(1) }
        let imageTable =
            "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t"
            + "{{.UniqueSize}}\t{{.Containers}}"
        let containers = (usage.containers ?? []).map { ContainerRow.row($0, truncates: true) }
        let containerTable =
            "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t"
            + "{{.Status}}\t{{.Names}}"
        let volumes = (usage.volumes ?? []).map(VolumeRow.row)
        return "Images space usage:\n\n"
            + (try ImageRow.format(digests: false).render(images, format: "table " + imageTable))
            + "\nContainers space usage:\n\n"
            + (try ContainerRow.format(size: true).render(containers, format: "table " + containerTable))
            + "\nLocal Volumes space usage:\n\n"
            + (try VolumeRow.format.render(volumes, format: "table {{.Name}}\t{{.Links}}\t{{.Size}}"))
            + "\nBuild cache usage: 0B\n\n"
            + "CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n"
    }

    static var systemPrune: Command<Action> {
        Command<Action>(
            "prune", "Remove unused data", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let all = flags.bool("all", "a", "Remove all unused images, not just those without a name")
            let force = flags.bool("force", "f", "Do not ask for confirmation")
            let volumes = flags.bool("volumes", "Remove anonymous volumes too")
            let filter = FilterFlag(flags, "Remove only what fits (for instance label=<label>)", shorthand: nil)
            return { context, _ in
                if !force.value {
                    var what = ["all stopped containers", "all networks not used by at least one container"]
                    if volumes.value { what.append("all anonymous volumes not used by at least one container") }
                    what.append(
                        all.value
                            ? "all images without at least one container associated to them" : "all dangling images")
                    let list = what.map { "  - \($0)\n" }.joined()
                    let question = "WARNING! This will remove:\n\(list)\nAre you sure you want to continue?"
                    if !Prompt.confirm(question) { return }
                }
                var reclaimed: Int64 = 0
                func prune(_ path: String, _ query: [(String, String)], _ heading: String, _ key: String) async throws {
                    let report: JSONValue
                    do {
                        report = try await context.call("POST", path, query)
                    } catch let error as EngineClientError where [404, 501].contains(error.status ?? 0) {
                        return
                    }
                    reclaimed += report["SpaceReclaimed"]?.integer ?? 0
                    let names = (report[key]?.array ?? []).map { item in
                        if let name = item.string { return name }
                        if let name = item["Untagged"]?.string, !name.isEmpty { return "untagged: " + name }
                        return "deleted: " + (item["Deleted"]?.string ?? "")
                    }
                    if !names.isEmpty { Output.print(heading + "\n" + names.joined(separator: "\n") + "\n") }
                }
                try await prune("/containers/prune", filter.query(), "Deleted Containers:", "ContainersDeleted")
                try await prune("/networks/prune", filter.query(), "Deleted Networks:", "NetworksDeleted")
                if volumes.value {
                    try await prune("/volumes/prune", filter.query(), "Deleted Volumes:", "VolumesDeleted")
                }
                try await prune(
                    "/images/prune", filter.query([("dangling", all.value ? "false" : "true")]), "Deleted Images:",
                    "ImagesDeleted")
                Output.print("Total reclaimed space: \(ByteSize.decimal(reclaimed))")
            }
        }
    }

    static var contextGroup: Command<Action> {
        let list = Command<Action>("ls", "List contexts", usage: "[OPTIONS]", arguments: ArgumentCount.none) { flags in
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let quiet = flags.bool("quiet", "q", "Only show names")
            return { context, _ in
                let location = try? DaemonLocation(
                    globals: context.globals, environment: context.environment, configuration: context.configuration)
                let current = location?.contextName ?? "default"
                func row(_ name: String, _ description: String, _ host: String) -> ListRow {
                    ListRow([
                        ("Name", .string(name)), ("Description", .string(description)),
                        ("DockerEndpoint", .string(host)), ("Current", .bool(name == current)), ("Error", ""),
                    ])
                }
                let own = DaemonLocation.defaultSocket(context.environment)
                var rows = [row("default", "The daemon of this machine", "unix://" + own)]
                for (name, meta) in context.configuration.contexts().sorted(by: { $0.key < $1.key }) {
                    rows.append(
                        row(
                            name, meta["Metadata"]?["Description"]?.string ?? "",
                            meta["Endpoints"]?["docker"]?["Host"]?.string ?? ""))
                }
                let list = ListFormat(
                    defaultTable:
                        "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
                    headers: [
                        "Name": "NAME", "Description": "DESCRIPTION", "DockerEndpoint": "DOCKER ENDPOINT",
                        "Error": "ERROR",
                    ], quietField: "Name", typeName: "*formatter.clientContextContext")
                Output.write(try list.render(rows, format: format.value, quiet: quiet.value))
            }
        }
        let show = Command<Action>("show", "Print the name of the current context", arguments: ArgumentCount.none) {
            _ in
            { context, _ in
                let location = try DaemonLocation(
                    globals: context.globals, environment: context.environment, configuration: context.configuration)
                Output.print(location.contextName)
            }
        }
        var group = Command<Action>("context", "Manage contexts", subcommands: [list, show])
        group.group = "Management Commands"
        return group
    }

    static var systemGroup: Command<Action> {
        var group = Command<Action>(
            "system", "Manage the daemon", subcommands: [diskUsage, events, info, systemPrune])
        group.group = "Management Commands"
        return group
    }
}

extension JSONValue {
    /// An event with its members by the names that Go's templates use.
    var withGoNames: JSONValue {
        guard case .object(let object) = self else { return self }
        let names = [
            "status": "Status", "id": "ID", "from": "From", "scope": "Scope", "time": "Time", "timeNano": "TimeNano",
        ]
        return .object(JSONObject(object.members.map { (names[$0.name] ?? $0.name, $0.value) }))
    }
}
