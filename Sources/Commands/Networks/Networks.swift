import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var networkGroup: Command<Action> {
        var group = Command<Action>(
            "network", "Manage networks",
            subcommands: [
                networkConnect, networkCreate, networkDisconnect, networkInspect, networkList, networkPrune,
                networkRemove,
            ])
        group.group = "Management Commands"
        return group
    }

    private static var networkCreate: Command<Action> {
        Command<Action>("create", "Create a network", usage: "[OPTIONS] NETWORK", arguments: .exactly(1)) { flags in
            let options = NetworkCreateFlags(flags)
            return { context, arguments in
                let request = try options.request(arguments[0])
                let made = try await context.call(
                    "POST", "/networks/create", body: request.json, as: NetworkCreateResponse.self)
                if !made.warning.isEmpty { Output.error("WARNING: \(made.warning)") }
                Output.print(made.id)
            }
        }
    }

    private static var networkConnect: Command<Action> {
        Command<Action>(
            "connect", "Connect a container to a network", usage: "[OPTIONS] NETWORK CONTAINER", arguments: .exactly(2)
        ) { flags in
            let alias = flags.strings("alias", "Add network-scoped alias for the container")
            let driverOption = flags.strings("driver-opt", "Driver options for the network")
            let priority = flags.int("gw-priority", "Highest gw-priority provides the default gateway")
            let ip = flags.string("ip", "IPv4 address (e.g., \"172.30.100.104\")")
            let ip6 = flags.string("ip6", "IPv6 address (e.g., \"2001:db8::33\")")
            let link = flags.strings("link", "Add link to another container")
            let linkLocal = flags.strings("link-local-ip", "Add a link-local address for the container")
            return { context, arguments in
                var settings = EndpointSettings()
                if !ip.value.isEmpty || !ip6.value.isEmpty || !linkLocal.value.isEmpty {
                    var addresses = EndpointSettings.IPAMConfig()
                    addresses.ipv4Address = ip.value
                    addresses.ipv6Address = ip6.value
                    addresses.linkLocalIPs = linkLocal.value.isEmpty ? nil : linkLocal.value
                    settings.ipamConfig = addresses
                }
                settings.aliases = alias.value
                settings.links = link.value
                settings.driverOpts = OptionText.pairs(driverOption.value)
                settings.gwPriority = Int(priority.value)
                var request = NetworkConnectRequest()
                request.container = arguments[1]
                request.endpointConfig = settings
                try await context.call("POST", "/networks/\(arguments[0])/connect", body: request.json)
            }
        }
    }

    private static var networkDisconnect: Command<Action> {
        Command<Action>(
            "disconnect", "Disconnect a container from a network", usage: "[OPTIONS] NETWORK CONTAINER",
            arguments: .exactly(2)
        ) { flags in
            let force = flags.bool("force", "f", "Force the container to disconnect from a network")
            return { context, arguments in
                var request = NetworkConnectRequest()
                request.container = arguments[1]
                request.force = force.value
                try await context.call("POST", "/networks/\(arguments[0])/disconnect", body: request.json)
            }
        }
    }

    private static var networkInspect: Command<Action> {
        Command<Action>(
            "inspect", "Display detailed information on one or more networks", usage: "[OPTIONS] NETWORK [NETWORK...]",
            arguments: .atLeast(1)
        ) { flags in
            let format = Inspection.formatFlag(flags)
            let verbose = flags.bool("verbose", "v", "Verbose output for diagnostics")
            return { context, arguments in
                try await Inspection(context: context, format: format.value).run(arguments) { name in
                    try await context.call("GET", "/networks/\(name)", verbose.value ? [("verbose", "true")] : [])
                }
            }
        }
    }

    private static var networkList: Command<Action> {
        var command = Command<Action>("ls", "List networks", usage: "[OPTIONS]", arguments: ArgumentCount.none) {
            flags in
            let filter = FilterFlag(flags)
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let whole = flags.bool("no-trunc", "Do not truncate the output")
            let quiet = flags.bool("quiet", "q", "Only display network IDs")
            return { context, _ in
                var chosen = format.value
                if chosen.isEmpty, !quiet.value { chosen = context.configuration.format("networksFormat") ?? "" }
                let list = try await context.call("GET", "/networks", filter.query())
                let networks = try (list.array ?? []).map { try NetworkResource(json: $0) }
                let rows = networks.sorted { $0.name < $1.name }.map { NetworkRow.row($0, isWhole: whole.value) }
                Output.write(try NetworkRow.format.render(rows, format: chosen, quiet: quiet.value))
            }
        }
        command.aliases = ["list"]
        command.spellings = ["% network ls", "% network list"]
        return command
    }

    private static var networkRemove: Command<Action> {
        var command = Command<Action>(
            "rm", "Remove one or more networks", usage: "NETWORK [NETWORK...]", arguments: .atLeast(1)
        ) { flags in
            let force = flags.bool("force", "f", "Do not error if the network does not exist")
            return { context, arguments in
                try await context.forEach(arguments) { name in
                    do {
                        try await context.call("DELETE", "/networks/\(name)")
                    } catch let error as EngineClientError where force.value && error.status == 404 {
                        return
                    }
                    Output.print(name)
                }
            }
        }
        command.aliases = ["remove"]
        command.spellings = ["% network rm", "% network remove"]
        return command
    }

    private static var networkPrune: Command<Action> {
        Command<Action>(
            "prune", "Remove all unused networks", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let force = flags.bool("force", "f", "Do not prompt for confirmation")
            let filter = FilterFlag(flags, "Remove only what fits (for instance until=<timestamp>)", shorthand: nil)
            return { context, _ in
                let warning = "This will remove all custom networks not used by at least one container."
                if !force.value, !Prompt.confirm("WARNING! \(warning)\nAre you sure you want to continue?") { return }
                let report = try await context.call(
                    "POST", "/networks/prune", filter.query(), as: NetworkPruneReport.self)
                let deleted = report.networksDeleted ?? []
                if !deleted.isEmpty { Output.print("Deleted Networks:\n" + deleted.joined(separator: "\n") + "\n") }
            }
        }
    }
}

/// A network as `network ls` shows it.
enum NetworkRow {
    static let format = ListFormat(
        defaultTable: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
        headers: [
            "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
            "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
        ], quietField: "ID", typeName: "*network.networkContext",
        rawTemplate: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n")

    static func row(_ network: NetworkResource, isWhole: Bool) -> ListRow {
        ListRow(
            [
                ("ID", .string(isWhole ? network.id : String(network.id.prefix(12)))), ("Name", .string(network.name)),
                ("Driver", .string(network.driver)), ("Scope", .string(network.scope)),
                ("IPv4", .string("\(network.enableIPv4)")), ("IPv6", .string("\(network.enableIPv6)")),
                ("Internal", .string("\(network.isInternal)")), ("Labels", .string(Shortened.labels(network.labels))),
                ("CreatedAt", .string(Moment(rfc3339: network.created)?.goString() ?? network.created)),
            ], labels: network.labels ?? [:])
    }
}
