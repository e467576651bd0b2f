import CommandLineKit
import EngineClient
import EngineModel
import Glibc
import JSON

extension Commands {
    /// This program's version.
    static let programVersion = "0.1.0"

    static var version: Command<Action> {
        var command = Command<Action>(
            "version", "Show the version information", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let format = flags.string("format", "f", "How to print: 'json' or a Go template")
            return { context, _ in
                let isJSON = format.value == "json"
                let template = format.value.isEmpty || isJSON ? nil : try ListFormat.parse(format.value)
                var server: SystemVersion?
                var failure: String?
                do {
                    server = try await context.call("GET", "/version", as: SystemVersion.self)
                } catch {
                    failure = "\(error)"
                }
                let location = try? DaemonLocation(
                    globals: context.globals, environment: context.environment, configuration: context.configuration)
                let api = APIVersion.current.description
                let client: JSONValue = [
                    "Platform": ["Name": ""], "Version": .string(programVersion), "ApiVersion": .string(api),
                    "DefaultAPIVersion": .string(api), "GitCommit": "", "GoVersion": "", "Os": "linux",
                    "Arch": .string(Host.architecture), "BuildTime": "",
                    "Context": .string(location?.contextName ?? "default"),
                ]
                let value: JSONValue = ["Client": client, "Server": server?.json ?? .null]
                if isJSON {
                    Output.print(value.serialized())
                } else if let template {
                    do throws(TemplateError) {
                        Output.print(try template.render(goNamed(value), missing: .failure(type: "system.versionInfo")))
                    } catch {
                        throw ExitStatus(1, "template parsing error: \(error.message)")
                    }
                } else {
                    Output.write(text(client: client, server: server))
                }
                if let failure { throw ExitStatus(1, failure) }
            }
        }
        command.group = "Common Commands"
        return command
    }

    /// The structure as templates see it: by the names of Go's members, of which one differs from JSON's.
    private static func goNamed(_ value: JSONValue) -> JSONValue {
        guard case .object(let sides) = value else { return value }
        return .object(
            JSONObject(
                sides.members.map { side, value in
                    guard case .object(let object) = value else { return (side, value) }
                    return (
                        side,
                        .object(
                            JSONObject(
                                object.members.map { ($0.name == "ApiVersion" ? "APIVersion" : $0.name, $0.value) }))
                    )
                }))
    }

    private static func text(client: JSONValue, server: SystemVersion?) -> String {
        var text = "Client:\n"
        func line(_ name: String, _ value: String, indent: Int = 1) {
            if !value.isEmpty {
                text += String(repeating: " ", count: indent) + (name + ":").padded(to: 20 - indent) + value + "\n"
            }
        }
        line("Version", client["Version"]?.string ?? "")
        line("API version", client["ApiVersion"]?.string ?? "")
        line("OS/Arch", "linux/\(Host.architecture)")
        line("Context", client["Context"]?.string ?? "")
        guard let server else { return text }
        text += "\nServer:\(server.platform.name.isEmpty ? "" : " " + server.platform.name)\n"
        var components = server.components ?? []
        if components.isEmpty {
            components = [SystemVersion.Component(name: "Engine", version: server.version)]
        }
        for (position, component) in components.enumerated() {
            text += " \(component.name):\n"
            line("Version", component.version, indent: 2)
            // Only the engine's details have an order that people know.
            if position == 0 {
                line("API version", "\(server.apiVersion) (minimum version \(server.minAPIVersion))", indent: 2)
                line("Git commit", server.gitCommit, indent: 2)
                line("Built", server.buildTime, indent: 2)
                line("OS/Arch", "\(server.os)/\(server.arch)", indent: 2)
                line("Experimental", server.experimental ? "true" : "false", indent: 2)
            } else {
                for (name, value) in (component.details ?? [:]).sorted(by: { $0.key < $1.key }) {
                    line(name == "GitCommit" ? "GitCommit" : name, value, indent: 2)
                }
            }
        }
        return text
    }
}

enum Host {
    /// The machine's architecture by Go's names.
    static var architecture: String {
        #if arch(x86_64)
        "amd64"
        #elseif arch(arm64)
        "arm64"
        #else
        "unknown"
        #endif
    }
}
