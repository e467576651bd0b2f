import Foundation
import JSON
import Testing

/// The same questions to dockerd and to us, each on a host of its own: what both say must be the same.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine && Shell.exists("dockerd") && Shell.exists("docker")))
struct SwarmDifferentialTests {
    /// An engine that is asked.
    private struct Side {
        var socket: String

        func docker(_ arguments: [String]) throws -> Output {
            try Shell.run(["docker", "-H", "unix://\(socket)"] + arguments)
        }

        /// The status and the body; of IDs only that they are some.
        func ask(_ method: String, _ path: String, _ body: String? = nil) throws -> String {
            var command = [
                "curl", "-s", "--unix-socket", socket, "-X", method, "-w", "%{http_code}", "http://d/v1.41\(path)",
            ]
            if let body { command += ["-H", "Content-Type: application/json", "--data-binary", body] }
            return masked(try Shell.check(command).text.replacingOccurrences(of: "\n", with: " "))
        }

        /// The parts of an answer that `path` leads to.
        func read(_ path: String, _ parts: [String]) throws -> [String] {
            let text = try Shell.check(["curl", "-s", "--unix-socket", socket, "http://d/v1.41\(path)"]).stdout
            let value = try JSONValue(parsing: text)
            return parts.map { part in
                var place = value
                for name in part.split(separator: ".") {
                    place = (Int(name).map { place[$0] } ?? place[String(name)]) ?? .null
                }
                return "\(part) \(masked(place.serialized()))"
            }
        }

        private func masked(_ text: String) -> String {
            text.replacingOccurrences(of: "[0-9a-z]{25}", with: "ID", options: .regularExpression)
        }
    }

    private static let clusterParts = [
        "Spec", "DefaultAddrPool", "SubnetSize", "DataPathPort", "RootRotationInProgress",
    ]

    private func compare(_ sides: [Side], _ what: String, _ question: (Side) throws -> some Equatable) throws {
        let answers = try sides.map(question)
        #expect(answers[0] == answers[1], "\(what)")
    }

    private func ask(_ sides: [Side], _ method: String, _ path: String, _ body: String? = nil) throws {
        try compare(sides, "\(method) \(path) \(body ?? "")") { try $0.ask(method, path, body) }
    }

    @Test func asDockerd() throws {
        let ours = try NetworkedDaemon()
        let machine = try TestHost()
        let scratch = try ScratchDirectory("dockerd")
        let theirs = Side(socket: scratch.file("docker.sock"))
        let other = try Child(
            machine.host.enter + [
                // Its load balancers leave files in /var/lib/docker, whatever the data root.
                "unshare", "--mount", "--propagation", "private", "/bin/sh", "-ec",
                "mkdir -p /var/lib/docker; mount -t tmpfs tmpfs /var/lib/docker; exec dockerd \"$@\"", "dockerd", "-H",
                "unix://\(theirs.socket)", "--data-root", scratch.file("data"), "--exec-root",
                scratch.file("run"), "-p", scratch.file("pid"), "--storage-driver", "vfs",
            ])
        defer {
            _ = try? theirs.docker(["rm", "-f", "one", "two"])
            kill(other.pid, SIGTERM)
            _ = try? other.wait(timeout: 60)
        }
        #expect(try eventually(60) { try theirs.docker(["version"]).status == 0 }, "\(other.stderr)")
        #expect(
            try theirs.docker(["import", "-c", "CMD [\"/bin/sh\"]", Images.rootTar.get(), Images.busybox]).status == 0)
        let sides = [Side(socket: ours.daemon.socket), theirs]
        try withoutSwarm(sides)
        try badInput(sides)
        try swarm(sides)
        try networks(sides)
        try containers(sides)
        try leaving(sides)
    }

    private func withoutSwarm(_ sides: [Side]) throws {
        for path in [
            "/swarm", "/swarm/unlockkey", "/nodes", "/nodes/x", "/services", "/tasks", "/secrets", "/configs/x",
        ] {
            try ask(sides, "GET", path)
        }
        try ask(sides, "POST", "/swarm/leave")
        try ask(sides, "POST", "/swarm/leave?force=1")
        try ask(sides, "POST", "/swarm/unlock", #"{"UnlockKey":"x"}"#)
        try ask(sides, "POST", "/swarm/update?version=1", #"{"Name":"default"}"#)
        try ask(sides, "POST", "/swarm/update", #"{"Name":"default"}"#)
        try ask(sides, "POST", "/services/create", "{}")
        for rest in [#""Ingress":true"#, #""Scope":"swarm""#, #""Driver":"overlay","Scope":"local""#] {
            try ask(sides, "POST", "/networks/create", #"{"Name":"o",\#(rest)}"#)
        }
        try compare(sides, "overlay without a swarm") {
            try $0.docker(["network", "create", "-d", "overlay", "--attachable", "o"]).stderr
        }
        try compare(sides, "info") { try $0.read("/info", ["Swarm"]) }
    }

    private func badInput(_ sides: [Side]) throws {
        for body in [
            "{}", #"{"ListenAddr":"bogus"}"#, #"{"ListenAddr":"0.0.0.0","AdvertiseAddr":"nosuch"}"#,
            #"{"ListenAddr":"0.0.0.0","AdvertiseAddr":"0.0.0.0"}"#, #"{"ListenAddr":"0.0.0.0","DataPathAddr":"x"}"#,
            #"{"ListenAddr":"0.0.0.0","Spec":{"Name":"x"}}"#,
        ] {
            try ask(sides, "POST", "/swarm/init", body)
        }
    }

    private func swarm(_ sides: [Side]) throws {
        let body = #"{"ListenAddr":"0.0.0.0:2377"}"#
        try ask(sides, "POST", "/swarm/init", body)
        try ask(sides, "POST", "/swarm/init", body)
        try ask(sides, "POST", "/swarm/join", #"{"ListenAddr":"0.0.0.0:2377","RemoteAddrs":["127.0.0.1:1"]}"#)
        try ask(sides, "POST", "/swarm/leave")
        // dockerd makes the networks in its own time.
        for side in sides {
            #expect(try eventually { try side.docker(["network", "ls", "-q", "-f", "name=ingress"]).text.count == 12 })
        }
        try compare(sides, "swarm") { try $0.read("/swarm", Self.clusterParts) }
        try compare(sides, "info") { side in
            try side.read(
                "/info",
                ["NodeAddr", "LocalNodeState", "ControlAvailable", "Error", "RemoteManagers", "Nodes", "Managers"]
                    .map { "Swarm." + $0 } + Self.clusterParts.map { "Swarm.Cluster." + $0 })
        }
        try compare(sides, "nodes") {
            try $0.read(
                "/nodes",
                ["0.Spec", "0.Status", "0.ManagerStatus", "0.Description.Platform", "0.Description.Resources", "1"])
        }
        for (kind, name) in [
            ("services", "x"), ("tasks", "x"), ("secrets", "x"), ("configs", "x"), ("nodes", "nosuch"),
        ] {
            if kind != "nodes" { try ask(sides, "GET", "/\(kind)") }
            try ask(sides, "GET", "/\(kind)/\(name)")
        }
        try ask(sides, "GET", "/swarm/unlockkey")
        try ask(sides, "POST", "/swarm/unlock", #"{"UnlockKey":"x"}"#)
        try compare(sides, "node ls") {
            try $0.docker(
                ["node", "ls", "--format", "{{.Self}} {{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}"]
            ).stdout
        }
        for (path, body) in [
            ("x", #"{"Name":"default"}"#), ("1", #"{"Name":"y"}"#),
        ] {
            try ask(sides, "POST", "/swarm/update?version=\(path)", body)
        }
        try compare(sides, "update") { side in
            let version = try side.read("/swarm", ["Version.Index"])[0].split(separator: " ")[1]
            return try side.ask("POST", "/swarm/update?version=\(version)", #"{"Name":"default","Labels":{"a":"b"}}"#)
                + side.read("/swarm", ["Spec"])[0]
        }
    }

    private func networks(_ sides: [Side]) throws {
        for options in [
            ["plain"], ["--attachable", "--label", "l=1", "mesh"],
            ["--attachable", "--internal", "--subnet", "10.77.0.0/24", "--opt", "encrypted", "inner"],
            ["--opt", "com.docker.network.driver.overlay.vxlanid_list=9999", "numbered"],
            ["--opt", "com.docker.network.driver.mtu=1300", "narrow"], ["plain"], ["--scope", "local", "wrong"],
        ] {
            try compare(sides, "network create \(options)") { side in
                let output = try side.docker(["network", "create", "-d", "overlay"] + options)
                return ["\(output.status)", output.stderr, "\(output.text.count)"]
            }
        }
        for filter in ["scope=swarm", "scope=local", "driver=overlay", "type=builtin", "type=custom"] {
            try compare(sides, "network ls --filter \(filter)") {
                try $0.docker(["network", "ls", "-f", filter, "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]).stdout
            }
        }
        for name in ["ingress", "plain", "mesh", "inner", "numbered", "narrow"] {
            try compare(sides, name) {
                try $0.read(
                    "/networks/\(name)",
                    [
                        "Name", "Scope", "Driver", "EnableIPv6", "Internal", "Attachable", "Ingress", "IPAM.Config",
                        "Options",
                    ])
            }
        }
        try compare(sides, "docker_gwbridge") {
            try $0.read("/networks/docker_gwbridge", ["Name", "Scope", "Driver", "Attachable", "Ingress", "Options"])
        }
        for scope in ["swarm", "local", "global", "x"] {
            try compare(sides, "scope \(scope)") { side -> [String] in
                let names = scope == "swarm" ? ["plain"] : ["plain", "none"]
                // dockerd has a second "none" for its services.
                return try names.map { String(try side.ask("GET", "/networks/\($0)?scope=\(scope)").suffix(3)) }
            }
        }
        try compare(sides, "events") { side in
            let start = String(Date().timeIntervalSince1970)
            _ = try side.docker(["network", "create", "-d", "overlay", "brief"])
            _ = try side.docker(["network", "rm", "brief"])
            var events: [String] = []
            // dockerd tells of them a moment later.
            _ = try eventually {
                events = try side.docker([
                    "events", "--since", start, "--until", String(Date().timeIntervalSince1970), "-f", "scope=swarm",
                    "-f",
                    "type=network", "--format", "{{.Action}} {{.Actor.Attributes}} {{.Scope}}",
                ]).lines
                return events.count >= 3
            }
            return events
        }
    }

    private func containers(_ sides: [Side]) throws {
        try compare(sides, "a network that is not attachable") {
            try $0.docker(["run", "--rm", "--network", "plain", Images.busybox, "true"]).stderr
        }
        try compare(sides, "containers") { side in
            let script = "mkdir /www; echo one > /www/index.html; exec httpd -f -p 80 -h /www"
            let one = try side.docker([
                "run", "-d", "--name", "one", "--network", "mesh", Images.busybox, "sh", "-c", script,
            ])
            let two = try side.docker([
                "run", "-d", "--name", "two", "--network", "mesh", Images.busybox, "sleep", "1000",
            ])
            #expect(one.status == 0 && two.status == 0, "\(one) \(two)")
            return try eventually {
                try side.docker(["exec", "two", "wget", "-qO-", "-T", "2", "http://one/"]).text == "one"
            }
        }
        try compare(sides, "connect") { side in
            let output = try side.docker(["network", "connect", "plain", "two"])
            return ["\(output.status)", output.stderr]
        }
    }

    private func leaving(_ sides: [Side]) throws {
        try compare(sides, "leave") { side in
            let outputs = try [["swarm", "leave"], ["swarm", "leave", "--force"], ["swarm", "leave", "--force"]]
                .map(side.docker)
            return outputs.flatMap { ["\($0.status)", $0.stdout, $0.stderr] }
        }
        // dockerd takes the networks away in its own time.
        for side in sides {
            #expect(try eventually { try side.docker(["network", "ls", "-q", "-f", "scope=swarm"]).text.isEmpty })
        }
        try compare(sides, "network ls") {
            try $0.docker(["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]).stdout
        }
        try compare(sides, "what is left of containers") { side in
            try ["one", "two"].map {
                try side.docker(["inspect", "-f", "{{.State.Status}} {{json .NetworkSettings.Networks}}", $0]).stdout
            } + [side.docker(["exec", "two", "ip", "-o", "link"]).lines.count.description]
        }
        try compare(sides, "info") { try $0.read("/info", ["Swarm"]) }
        for side in sides { _ = try side.docker(["rm", "-f", "one", "two"]) }
    }
}
