import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var info: Command<Action> {
        var command = Command<Action>(
            "info", "Display system-wide information", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let format = flags.string("format", "f", "How to print: 'json' or a Go template")
            return { context, _ in
                var info: SystemInfo?
                var failure: String?
                do { info = try await context.call("GET", "/info", as: SystemInfo.self) } catch { failure = "\(error)" }
                let location = try? DaemonLocation(
                    globals: context.globals, environment: context.environment, configuration: context.configuration)
                let client: JSONValue = [
                    "Debug": .bool(context.globals.debug.value), "Version": .string(programVersion),
                    "Context": .string(location?.contextName ?? "default"), "Plugins": [], "Warnings": .null,
                ]
                guard format.value.isEmpty else {
                    var value = info?.json.object ?? JSONObject()
                    if let failure { value["ServerErrors"] = [.string(failure)] }
                    value["ClientInfo"] = client
                    if format.value == "json" {
                        Output.print(JSONValue.object(value).serialized())
                    } else {
                        let template = try ListFormat.parse(format.value)
                        do throws(TemplateError) {
                            Output.print(
                                try template.render(.object(value), missing: .failure(type: "system.dockerInfo")))
                        } catch {
                            throw ExitStatus(1, "template parsing error: \(error.message)")
                        }
                    }
                    if let failure, info == nil { throw ExitStatus(1, failure) }
                    return
                }
                Output.print(
                    """
                    Client:
                     Version:    \(programVersion)
                     Context:    \(location?.contextName ?? "default")
                     Debug Mode: \(context.globals.debug.value)

                    Server:
                    """)
                guard let info else { throw ExitStatus(1, failure ?? "no answer from the daemon") }
                Output.write(text(info))
                for warning in info.warnings ?? [] { Output.error(warning) }
            }
        }
        command.group = "Common Commands"
        return command
    }

    private static func text(_ info: SystemInfo) -> String {
        var text = ""
        func line(_ name: String, _ value: String, indent: Int = 1) {
            if !value.isEmpty { text += String(repeating: " ", count: indent) + "\(name): \(value)\n" }
        }
        line("Containers", String(info.containers))
        line("Running", String(info.containersRunning), indent: 2)
        line("Paused", String(info.containersPaused), indent: 2)
        line("Stopped", String(info.containersStopped), indent: 2)
        line("Images", String(info.images))
        line("Server Version", info.serverVersion)
        line("Storage Driver", info.driver)
        for pair in info.driverStatus ?? [] where pair.count == 2 { line(pair[0], pair[1], indent: 2) }
        line("Logging Driver", info.loggingDriver)
        line("Cgroup Driver", info.cgroupDriver)
        line("Cgroup Version", info.cgroupVersion)
        text += " Plugins:\n"
        line("Volume", (info.plugins.volume ?? []).joined(separator: " "), indent: 2)
        line("Network", (info.plugins.network ?? []).joined(separator: " "), indent: 2)
        line("Authorization", (info.plugins.authorization ?? []).joined(separator: " "), indent: 2)
        line("Log", (info.plugins.log ?? []).joined(separator: " "), indent: 2)
        line("Swarm", info.swarm["LocalNodeState"]?.string ?? "inactive")
        if let cluster = info.swarm["Cluster"] {
            line("NodeID", info.swarm["NodeID"]?.string ?? "", indent: 2)
            line("Is Manager", String(info.swarm["ControlAvailable"]?.bool ?? false), indent: 2)
            line("ClusterID", cluster["ID"]?.string ?? "", indent: 2)
            line("Managers", String(info.swarm["Managers"]?.integer ?? 0), indent: 2)
            line("Nodes", String(info.swarm["Nodes"]?.integer ?? 0), indent: 2)
            line("Node Address", info.swarm["NodeAddr"]?.string ?? "", indent: 2)
        }
        line("Runtimes", info.runtimes.keys.sorted().joined(separator: " "))
        line("Default Runtime", info.defaultRuntime)
        line("Init Binary", info.initBinary)
        if !info.securityOptions.isEmpty {
            text += " Security Options:\n"
            for option in info.securityOptions {
                let parts = OptionText.pairs(option.split(separator: ",").map(String.init))
                text += "  \(parts["name"] ?? option)\n"
                for (name, value) in parts.sorted(by: { $0.key < $1.key }) where name != "name" {
                    line(name == "profile" ? "Profile" : name, value, indent: 3)
                }
            }
        }
        line("Kernel Version", info.kernelVersion)
        line("Operating System", info.operatingSystem)
        line("OSType", info.osType)
        line("Architecture", info.architecture)
        line("CPUs", String(info.ncpu))
        line("Total Memory", ByteSize.binary(info.memTotal))
        line("Name", info.name)
        line("ID", info.id)
        line("Docker Root Dir", info.dockerRootDir)
        line("Debug Mode", String(info.debug))
        line("HTTP Proxy", info.httpProxy)
        line("HTTPS Proxy", info.httpsProxy)
        line("No Proxy", info.noProxy)
        if !info.labels.isEmpty {
            text += " Labels:\n" + info.labels.map { "  \($0)\n" }.joined()
        }
        line("Experimental", String(info.experimentalBuild))
        line("Live Restore Enabled", String(info.liveRestoreEnabled))
        return text + "\n"
    }
}
