import Foundation
import JSON
import Testing

/// Networks when the daemon is restarted or killed: connections live on, and nothing is lost or left over.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkSurvivalTests {
    @Test(arguments: [true, false]) func aRestartIsNotNoticed(usesProxy: Bool) throws {
        let engine = try NetworkedDaemon(["--userland-proxy=\(usesProxy)"])
        try engine.dhow("network", "create", "--ipv6", "lasting")
        let web = try engine.startWeb(
            "web", "--network", "lasting", "--network-alias", "www", "-p", "8500:80", "-p", "8501:81")
        let friend = try engine.start("friend", "--network", "lasting")
        let plain = try engine.startWeb("plain", "-p", "8502:80")
        let server = try web.place.serve(.tcp, "::", 81)
        let held = try [TestHost.address4, TestHost.address6].map {
            try Child(engine.outside.enter + Probe.command("hold", $0, "8501"))
        }
        func count(_ child: Child) -> Int { child.stdout.components(separatedBy: "\n").count }
        for child in held { #expect(eventually { count(child) > 10 }, "\(child.stderr)") }
        for crashes in [true, false] {
            if crashes { engine.daemon.crash() } else { try engine.daemon.stop() }
            // Without a daemon what is translated goes on, new connections too.
            for child in held {
                let before = count(child)
                #expect(eventually { count(child) > before + 10 }, "\(child.stderr)")
            }
            #expect(try engine.outside.get("http://\(TestHost.address4):8500/") == "web")
            try engine.daemon.start()
            for child in held {
                let before = count(child)
                #expect(eventually { count(child) > before + 10 }, "\(child.stderr)")
            }
            for address in ["127.0.0.1", "[::1]", TestHost.address4, "[\(TestHost.address6)]"] {
                #expect(try engine.host.get("http://\(address):8500/") == "web", "\(address)")
            }
            #expect(try engine.host.get("http://127.0.0.1:8502/") == "plain")
            #expect(try engine.outside.get("http://\(TestHost.address4):8502/") == "plain")
            #expect(try friend.place.resolve("www") == [web.address4("lasting")])
            #expect(try friend.place.resolve("one.test") == ["203.0.113.7"])
            #expect(try engine.container("web").address4("lasting") == web.address4("lasting"))
            #expect(try engine.container("plain").address4() == plain.address4())
            // Neither an address nor a port is given twice.
            let later = try engine.start("later", "--network", "lasting")
            #expect(![web, friend].map { $0.address4("lasting") }.contains(later.address4("lasting")))
            #expect(![web, friend].map { $0.address6("lasting") }.contains(later.address6("lasting")))
            let refused = try engine.daemon.dhow("run", "--rm", "-p", "8500:80", Images.busybox, "true")
            #expect(refused.status == 125 && refused.stderr.contains("web"), "\(refused)")
            let removed = try engine.daemon.dhow("network", "rm", "lasting")
            #expect(removed.status == 1 && removed.stderr.contains("active endpoints"), "\(removed)")
            engine.remove(["later"])
        }
        #expect(server.isRunning)
        for child in held { #expect(child.isRunning, "\(child.stderr)") }
        engine.remove(["web"])
        #expect(try engine.outside.get("http://\(TestHost.address4):8500/", seconds: 1) == nil)
    }

    @Test func whatEndedMeanwhileIsGivenBack() throws {
        let engine = try NetworkedDaemon()
        try engine.dhow("network", "create", "--subnet", "10.75.0.0/29", "small")
        let brief = try engine.start("brief", "--network", "small", "-p", "8510:80")
        let place = brief.address4("small")
        let process = try pid_t(engine.processID(of: brief))
        engine.daemon.crash()
        kill(process, SIGKILL)
        try engine.daemon.start()
        #expect(try eventually { try engine.daemon.inspect("brief")["State"]?["Running"] == false })
        #expect(try eventually(5) { try !engine.host.sh("nft list ruleset").text.contains("8510") })
        #expect(try eventually { try engine.host.sh("ip -o link show type veth | grep -v wan0 || true").text.isEmpty })
        let next = try engine.startWeb("next", "--network", "small", "--ip", place, "-p", "8510:80")
        #expect(next.address4("small") == place)
        #expect(try engine.outside.get("http://\(TestHost.address4):8510/") == "next")
    }

    @Test func aMachineThatWasSwitchedOffComesBackWithItsNetworks() throws {
        let engine = try NetworkedDaemon()
        try engine.dhow("network", "create", "--ipv6", "--subnet", "10.76.0.0/24", "kept")
        let web = try engine.startWeb(
            "web", "--network", "kept", "--ip", "10.76.0.9", "-p", "8511:80", "--restart", "always")
        let process = try pid_t(engine.processID(of: web))
        try engine.daemon.stop()
        // As after that: no process, no interface, no rule, and an empty /run.
        kill(process, SIGKILL)
        #expect(eventually { !FileManager.default.fileExists(atPath: "/proc/\(process)") })
        try engine.host.sh(
            "nft flush ruleset; for l in $(ip -o link show type bridge | cut -d: -f2); do ip link del $l; done")
        try Shell.sh("find \(engine.daemon.execRoot) -mindepth 1 -delete")
        try engine.daemon.start()
        #expect(try eventually { try engine.outside.get("http://\(TestHost.address4):8511/") == "web" })
        #expect(try engine.outside.get("http://[\(TestHost.address6)]:8511/") == "web")
        #expect(try engine.container("web").address4("kept") == "10.76.0.9")
    }

    @Test func manyAtOnceGetAnAddressEach() throws {
        let engine = try NetworkedDaemon()
        try engine.dhow("network", "create", "--ipv6", "crowd")
        let number = ProcessInfo.processInfo.environment["CI"] == nil ? 200 : 50
        let output = try Shell.run(
            [
                "sh", "-c",
                """
                seq 1 \(number) | xargs -P 16 -I{} \(Programs.dhow) -H unix://\(engine.daemon.socket) run -d --name crowd{} \
                    --network crowd -p 80 \(Images.busybox) sleep 100000
                """,
            ], timeout: 600)
        #expect(output.status == 0, "\(output.stderr.prefix(2000))")
        let network = try JSONValue(parsing: engine.dhow("network", "inspect", "crowd"))[0]
        let members = network?["Containers"]?.object?.members.map(\.value) ?? []
        #expect(members.count == number)
        #expect(Set(members.compactMap { $0["IPv4Address"]?.string }).count == number)
        #expect(Set(members.compactMap { $0["IPv6Address"]?.string }).count == number)
        #expect(Set(members.compactMap { $0["MacAddress"]?.string }).count == number)
        let ids = try engine.dhow("ps", "-q").components(separatedBy: "\n")
        #expect(ids.count == number)
        // What is written down is what the containers have.
        let states = try Shell.check(
            [
                Programs.dhow, "-H", "unix://\(engine.daemon.socket)", "inspect", "-f",
                "{{.State.Pid}} {{.NetworkSettings.Networks.crowd.IPAddress}} {{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}",
            ] + ids
        ).lines
        var ports: Set<String> = []
        for line in states {
            let fields = line.components(separatedBy: " ")
            guard fields.count == 3, let pid = Int64(fields[0]) else {
                Issue.record("\(line)")
                continue
            }
            ports.insert(fields[2])
            let own = try NetworkPlace(process: pid).sh("ip -o -4 address show eth0").text
            #expect(own.contains(" \(fields[1])/"), "\(own)")
        }
        #expect(ports.count == number)
        let last = try engine.container("crowd\(number)").place
        #expect(try last.resolve("crowd1") == [engine.container("crowd1").address4("crowd")])
        let removal = try Shell.run(
            [Programs.dhow, "-H", "unix://\(engine.daemon.socket)", "rm", "-f"] + ids, timeout: 300)
        #expect(removal.status == 0, "\(removal.stderr.prefix(2000))")
        try engine.dhow("network", "rm", "crowd")
        // The kernel takes its time over the namespaces of the dead.
        #expect(
            try eventually {
                try engine.host.sh("ip -o link").lines.filter { $0.contains("veth") && !$0.contains("wan0") }.isEmpty
            })
    }

    @Test func crashesUnderLoadLeaveNothing() throws {
        let engine = try NetworkedDaemon()
        let daemon = engine.daemon
        let before = try engine.machine.state()
        for round in 0..<20 {
            let script = """
                n=0
                while :; do
                  n=$((n+1)); c=c\(round)-$1-$n; p=$((10000 + $1 * 1000 + n % 500))
                  case $(( (n + $1) % 5 )) in
                    0) $d run --rm -p $p:80 -p $p:80/udp \(Images.busybox) true ;;
                    1) $d network create --ipv6 n$c; $d run -d --name $c --network n$c -p 80 \(Images.busybox) sleep 1000
                       $d rm -f $c; $d network rm n$c ;;
                    2) $d run -d --name $c -p $p:80 \(Images.busybox) sleep 1000 ;;
                    3) $d network create n$c; $d run -d --name $c --network none \(Images.busybox) sleep 1000
                       $d create --name x$c -p 80 \(Images.busybox) sleep 1000; $d network connect n$c x$c; $d start x$c
                       $d network disconnect n$c x$c; $d rm -f $c x$c ;;
                    4) $d network create --internal n$c; $d run --rm --network n$c \(Images.busybox) true; $d network rm n$c ;;
                  esac >/dev/null 2>&1
                  [ -e "$stop" ] && exit 0
                done
                """
            try daemon.crash(under: 0...2, of: script, after: 50...900)
            // What is there works: no address twice, and every port where it says.
            try agreement(engine)
        }
        let known = try daemon.check("ps", "-aq").lines
        if !known.isEmpty { try Shell.check([Programs.dhow, "-H", "unix://\(daemon.socket)", "rm", "-fv"] + known) }
        try daemon.check("network", "prune", "-f")
        #expect(
            try daemon.check("network", "ls", "--format", "{{.Name}}").lines.sorted() == ["bridge", "host", "none"])
        #expect(try daemon.stop()?.status == 0)
        // Forwarding stays on, as with Docker: others may have come to rely on it.
        #expect(try engine.machine.changes(since: before).filter { !$0.hasPrefix("sysctls") } == [])
        let containers = try Shell.sh("find \(daemon.execRoot)/containers -mindepth 1 | wc -l").text
        #expect(containers == "0")
    }

    @Test func crashesWhileConnecting() throws {
        let engine = try NetworkedDaemon()
        let daemon = engine.daemon
        for name in ["hop1", "hop2"] { try engine.dhow("network", "create", "--ipv6", name) }
        for name in ["hopper1", "hopper2"] { try engine.start(name, "-p", "80") }
        for _ in 0..<20 {
            let script = """
                while [ ! -e "$stop" ]; do
                  $d network connect hop$1 hopper$1; $d network connect hop$((3 - $1)) hopper$1
                  $d network disconnect hop$1 hopper$1; $d network disconnect hop$((3 - $1)) hopper$1
                done >/dev/null 2>&1
                """
            try daemon.crash(under: 1...2, of: script, after: 50...500)
            try agreement(engine)
        }
        // Whatever state they were left in, both can be connected and found.
        for name in ["hopper1", "hopper2"] {
            for network in ["hop1", "hop2"] { _ = try daemon.dhow("network", "connect", network, name) }
        }
        let second = try engine.container("hopper2")
        // The first network that knows the name answers.
        let first = try engine.container("hopper1")
        let found = try second.place.resolve("hopper1")
        #expect(found.count == 1 && ["hop1", "hop2"].map(first.address4).contains(found[0]), "\(found)")
        for network in ["hop1", "hop2"] {
            let address = second.address4(network)
            #expect(try engine.container("hopper1").place.run("ping", "-c1", "-W5", address).status == 0, "\(address)")
        }
    }

    /// That interfaces, rules, sockets and records say the same.
    private func agreement(_ engine: NetworkedDaemon) throws {
        let ids = try engine.daemon.check("ps", "-q").lines
        var addresses: [String] = []
        var ports: [String] = []
        if !ids.isEmpty {
            let inspected = try JSONValue(
                parsing: Shell.check([Programs.dhow, "-H", "unix://\(engine.daemon.socket)", "inspect"] + ids).stdout)
            for container in inspected.array ?? [] {
                let settings = container["NetworkSettings"]
                for (_, network) in (settings?["Networks"]?.object?.members ?? []).map({ ($0.name, $0.value) }) {
                    if let address = network["IPAddress"]?.string, !address.isEmpty { addresses.append(address) }
                }
                for (name, bindings) in (settings?["Ports"]?.object?.members ?? []).map({ ($0.name, $0.value) }) {
                    for binding in bindings.array ?? [] where binding["HostIp"] == "0.0.0.0" {
                        ports.append("\(name.hasSuffix("udp") ? "udp" : "tcp") \(binding["HostPort"]?.string ?? "")")
                    }
                }
            }
        }
        #expect(Set(addresses).count == addresses.count, "\(addresses)")
        let listening = try engine.host.sh("ss -Hlntu | awk '$5 ~ /^0.0.0.0/ {sub(/.*:/, \"\", $5); print $1, $5}'")
            .lines
        #expect(listening.sorted() == ports.sorted())
        let veths = try engine.host.sh("ip -o link show type veth | grep -vc wan0 || true").text
        // Every container has the interfaces that are written down.
        for id in ids {
            let container = try engine.container(id)
            for (name, network) in (container.settings["Networks"]?.object?.members ?? []).map({ ($0.name, $0.value) })
            {
                guard let address = network["IPAddress"]?.string, !address.isEmpty else { continue }
                let own = try container.place.sh("ip -o address").text
                let isThere = own.contains(" \(address)/")
                #expect(isThere, "\(id) has no \(address) on \(name): \(own)")
            }
        }
        #expect(Int(veths) == addresses.count, "\(veths) interfaces for \(addresses)")
    }
}
