import CommandLineKit
import EngineModel
import JSON

extension Commands {
    static var ps: Command<Action> {
        var command = Command<Action>("ps", "List containers", usage: "[OPTIONS]", arguments: ArgumentCount.none) {
            flags in
            let all = flags.bool("all", "a", "Show all containers, not just those that run")
            let filter = FilterFlag(flags)
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let last = flags.int("last", "n", default: -1, "Show this many of the last created containers")
            let latest = flags.bool("latest", "l", "Show the last created container")
            let noTrunc = flags.bool("no-trunc", "Do not shorten anything")
            let quiet = flags.bool("quiet", "q", "Only show IDs")
            let size = flags.bool("size", "s", "Show the sizes of files")
            let options = {
                ContainerListOptions(
                    all: all.value, limit: latest.value ? 1 : last.value, format: format.value,
                    truncates: !noTrunc.value, quiet: quiet.value, size: size.value, filter: filter.query())
            }
            return { context, _ in try await options().list(context) }
        }
        command.spellings = ["% container ls", "% container list", "% container ps", "% ps"]
        command.group = "Common Commands"
        return command
    }
}

/// What `ps` was asked for.
struct ContainerListOptions {
    var all: Bool
    var limit: Int64
    var format: String
    var truncates: Bool
    var quiet: Bool
    var size: Bool
    var filter: [(String, String)]

    func list(_ context: Context) async throws {
        let chosen = format.isEmpty && !quiet ? context.configuration.format("psFormat") ?? "" : format
        let containers = try await context.call(
            "GET", "/containers/json", query(chosen), as: [ContainerSummary].self)
        try ContainerRow.print(containers, truncates: truncates, size: size, format: chosen, quiet: quiet)
    }

    private func query(_ format: String) -> [(String, String)] {
        var query: [(String, String)] = []
        if all { query.append(("all", "1")) }
        if limit > 0 { query.append(("limit", String(limit))) }
        if size || format.contains(".Size") || format.contains("json .}}") { query.append(("size", "1")) }
        return query + filter
    }
}

/// A container as `ps` shows it.
package enum ContainerRow {
    /// Never inlined: Swift 6.3's optimiser crashes when this ends up inside an asynchronous closure.
    @inline(never) static func print(
        _ containers: [ContainerSummary], truncates: Bool, size: Bool, format: String, quiet: Bool
    ) throws {
        let rows = containers.map { row($0, truncates: truncates) }
        Output.write(try Self.format(size: size).render(rows, format: format, quiet: quiet))
    }

    static func format(size: Bool) -> ListFormat {
        ListFormat(
            defaultTable: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
                + (size ? "\t{{.Size}}" : ""),
            headers: [
                "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT",
                "RunningFor": "CREATED", "Ports": "PORTS", "State": "STATE", "Status": "STATUS", "Size": "SIZE",
                "Names": "NAMES", "Labels": "LABELS", "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES",
                "Networks": "NETWORKS", "Platform": "PLATFORM",
            ], typeName: "*formatter.ContainerContext",
            rawTemplate: "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n"
                + "state: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n"
                + "labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n" + (size ? "size: {{.Size}}\n" : ""))
    }

    static func row(_ container: ContainerSummary, truncates: Bool) -> ListRow {
        let command = truncates ? Shortened.ellipsis(container.command, 20) : container.command
        var size = ByteSize.decimal(container.sizeRw, digits: 3)
        if container.sizeRootFs > 0 { size += " (virtual \(ByteSize.decimal(container.sizeRootFs, digits: 3)))" }
        let mounts = container.mounts.map { mount in
            let name = mount.name.isEmpty ? mount.source : mount.name
            return truncates ? Shortened.ellipsis(name, 15) : name
        }
        let networks = (container.networkSettings?.networks ?? [:]).keys.sorted()
        return ListRow(
            [
                ("ID", .string(truncates ? Shortened.id(container.id) : container.id)),
                ("Names", .string(names(container.names, truncates: truncates))),
                ("Image", .string(image(container, truncates: truncates))),
                ("Command", .string(goQuoted(command))),
                ("CreatedAt", .string(Moment(seconds: container.created).goString())),
                ("RunningFor", .string(Shortened.ago(container.created))),
                ("Ports", .string(ports(container.ports))),
                ("State", .string(container.state)),
                ("Status", .string(container.status)),
                ("Size", .string(size)),
                ("Labels", .string(Shortened.labels(container.labels))),
                ("Mounts", .string(mounts.joined(separator: ","))),
                ("LocalVolumes", .string(String(container.mounts.count { $0.driver == "local" }))),
                ("Networks", .string(networks.joined(separator: ","))),
                ("Platform", container.unknownMembers["ImageManifestDescriptor"]?["platform"] ?? .null),
            ], labels: container.labels ?? [:])
    }

    /// Names without their slash; a name with another slash is that of a link, and left out when shortening.
    private static func names(_ names: [String], truncates: Bool) -> String {
        var plain = names.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
        if truncates { plain = plain.filter { !$0.contains("/") } }
        return plain.joined(separator: ",")
    }

    private static func image(_ container: ContainerSummary, truncates: Bool) -> String {
        if container.image.isEmpty { return "<no image>" }
        guard truncates else { return container.image }
        let id = Shortened.id(container.imageID)
        if !id.isEmpty, id == Shortened.id(container.image) { return id }
        // A digest after a tag says nothing new.
        if let at = container.image.firstIndex(of: "@") {
            let name = container.image[..<at]
            if name.split(separator: "/").last?.contains(":") == true { return String(name) }
        }
        return container.image
    }

    /// Ports with neighbours joined: `80-81/tcp`, `0.0.0.0:80->80/tcp`.
    package static func ports(_ ports: [ContainerSummary.Port]) -> String {
        let sorted = ports.sorted {
            ($0.privatePort, $0.ip, $0.publicPort, $0.type) < ($1.privatePort, $1.ip, $1.publicPort, $1.type)
        }
        var groups: [(address: String, type: String, first: UInt16, last: UInt16)] = []
        var closed: [String] = []
        var mapped: [String] = []
        func host(_ address: String) -> String { address.contains(":") ? "[\(address)]" : address }
        func text(_ group: (address: String, type: String, first: UInt16, last: UInt16)) -> String {
            let range = group.first == group.last ? "\(group.first)" : "\(group.first)-\(group.last)"
            return (group.address.isEmpty ? range : "\(host(group.address)):\(range)->\(range)") + "/" + group.type
        }
        for port in sorted {
            if !port.ip.isEmpty, port.publicPort != port.privatePort {
                mapped.append("\(host(port.ip)):\(port.publicPort)->\(port.privatePort)/\(port.type)")
                continue
            }
            guard let at = groups.firstIndex(where: { $0.address == port.ip && $0.type == port.type }) else {
                groups.append((port.ip, port.type, port.privatePort, port.privatePort))
                continue
            }
            if port.privatePort == groups[at].last &+ 1 {
                groups[at].last = port.privatePort
            } else if port.privatePort != groups[at].last {
                closed.append(text(groups[at]))
                groups[at].first = port.privatePort
                groups[at].last = port.privatePort
            }
        }
        return (closed + groups.map(text) + mapped).joined(separator: ", ")
    }
}
