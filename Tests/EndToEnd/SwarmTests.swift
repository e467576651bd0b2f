import Foundation
import JSON
import Testing

/// A swarm of one node and its overlay networks.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct SwarmTests {
    private func state(_ daemon: Daemon) throws -> String {
        try daemon.check("info", "-f", "{{.Swarm.LocalNodeState}}").text
    }

    // MARK: Containers

    @Test func containersMeetOnAnOverlayNetwork() throws {
        let engine = try NetworkedDaemon()
        let before = try engine.machine.state()
        #expect(try engine.dhow("swarm", "init").contains("is now a manager"))
        let id = try engine.docker("network", "create", "-d", "overlay", "--attachable", "--opt", "encrypted", "mesh")
        #expect(id.count == 25)
        try engine.dhow("network", "create", "-d", "overlay", "--attachable", "--internal", "inner")
        try engine.dhow(
            "network", "create", "-d", "overlay", "--attachable", "--ipv6", "--subnet", "10.81.0.0/24", "six")
        let web = try engine.startWeb("web", "--network", "mesh", "--network-alias", "www", "-p", "8600:80")
        let friend = try engine.start("friend", "--network", "mesh")
        let hidden = try engine.start("hidden", "--network", "inner")
        let wide = try engine.startWeb("wide", "--network", "six", "--ip", "10.81.0.9", "-p", "8601:80")
        #expect(web.address4("mesh").hasPrefix("10.0."))
        #expect(wide.address4("six") == "10.81.0.9")
        for name in ["web", "www", "web.mesh"] {
            #expect(try friend.place.resolve(name) == [web.address4("mesh")], "\(name)")
        }
        #expect(try friend.place.get("http://\(web.address4("mesh"))/") == "web")
        #expect(try friend.place.get("http://\(TestHost.outsideAddress4)/", seconds: 1) == nil)
        #expect(try engine.outside.get("http://\(TestHost.address4):8600/") == "web")
        #expect(try engine.outside.get("http://[\(TestHost.address6)]:8601/") == "wide")
        // Networks are strangers to each other, and one of them to the outside too.
        #expect(try !hidden.place.resolve("web").contains(web.address4("mesh")))
        #expect(try hidden.place.get("http://\(web.address4("mesh"))/", seconds: 1) == nil)
        #expect(try hidden.place.sh("ip route show default").text.isEmpty)
        // Joined and left while running.
        try engine.docker("network", "connect", "mesh", "hidden")
        #expect(try hidden.place.get("http://\(web.address4("mesh"))/") == "web")
        try engine.docker("network", "disconnect", "mesh", "hidden")
        let removed = try engine.daemon.docker("network", "rm", "mesh")
        #expect(removed.status == 1 && removed.stderr.contains("active endpoints"), "\(removed)")

        for crashes in [true, false] {
            let node = try engine.dhow("info", "-f", "{{.Swarm.NodeID}}")
            if crashes { engine.daemon.crash() } else { try engine.daemon.stop() }
            #expect(try engine.outside.get("http://\(TestHost.address4):8600/") == "web")
            try engine.daemon.start()
            #expect(try engine.dhow("info", "-f", "{{.Swarm.NodeID}}") == node)
            #expect(try engine.dhow("network", "inspect", "-f", "{{.Id}} {{.Scope}}", "mesh") == "\(id) swarm")
            #expect(try friend.place.resolve("www") == [web.address4("mesh")])
            #expect(try engine.outside.get("http://\(TestHost.address4):8600/") == "web")
        }
        // Containers outlive the swarm; its networks do not.
        #expect(try engine.dhow("swarm", "leave", "--force") == "Node left the swarm.")
        #expect(try engine.outside.get("http://\(TestHost.address4):8600/", seconds: 1) == nil)
        #expect(try web.place.sh("ip -o link | wc -l").text == "1")
        #expect(try engine.container("web").settings["Networks"]?.object?.members.isEmpty == true)
        #expect(
            try engine.dhow("network", "ls", "--format", "{{.Name}}").components(separatedBy: "\n") == [
                "bridge", "docker_gwbridge", "host", "none",
            ])
        engine.remove(["web", "friend", "hidden", "wide"], networks: ["docker_gwbridge"])
        try engine.daemon.stop()
        #expect(try engine.machine.changes(since: before).filter { !$0.contains("sysctls") } == [])
    }

    @Test func networksOfOtherDriversCanBeTheSwarms() throws {
        let engine = try NetworkedDaemon()
        try engine.docker("swarm", "init")
        try engine.docker("network", "create", "-d", "bridge", "--scope", "swarm", "--attachable", "plain")
        #expect(
            try engine.docker("network", "ls", "-q", "--filter", "scope=swarm", "--filter", "driver=bridge").count == 12
        )
        let web = try engine.startWeb("web", "--network", "plain")
        #expect(try engine.host.get("http://\(web.address4("plain"))/") == "web")
        engine.remove(["web"])
        try engine.docker("swarm", "leave", "--force")
        #expect(try engine.docker("network", "ls", "-q", "--filter", "name=plain") == "")
    }

    // MARK: Crashes

    @Test func aKillLeavesAWholeSwarmOrNone() throws {
        let engine = try NetworkedDaemon()
        let script = """
            while [ ! -e $stop ]; do
                $d swarm init --default-addr-pool 10.180.0.0/16
                $d network create -d overlay --attachable net$1
                $d run -d --name c$1 --network net$1 \(Images.busybox) sleep 1000
                $d swarm leave --force
                $d rm -f c$1
            done >/dev/null 2>&1
            """
        for _ in 0..<8 {
            try engine.daemon.crash(under: 1...2, of: script, after: 100...900)
            let isActive = try state(engine.daemon) == "active"
            let own = try engine.docker("network", "ls", "--filter", "scope=swarm", "--format", "{{.Name}}")
                .components(separatedBy: "\n")
            if isActive {
                #expect(own.contains("ingress"), "\(own)")
                #expect(try engine.docker("node", "ls", "--format", "{{.ManagerStatus}}") == "Leader")
            } else {
                #expect(own == [""])
            }
            // Every bridge is a network's, and the firewall knows no others.
            let known = try engine.docker("network", "ls", "-q").components(separatedBy: "\n")
            for name in try engine.host.sh("ip -o link show type bridge | cut -d: -f2").lines {
                let short = name.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: "br-", with: "")
                #expect(known.contains(short) || short.hasPrefix("docker"), "\(name) \(known)")
            }
            if isActive { try engine.docker("swarm", "leave", "--force") }
            engine.remove(["c1", "c2"])
            #expect(try engine.docker("network", "ls", "-q", "--filter", "scope=swarm") == "")
        }
        engine.remove(networks: ["docker_gwbridge"])
        #expect(try engine.host.sh("ip -o link show type bridge | grep -v docker0 || true").text == "")
    }

    @Test func aLeaveThatWasCutShortIsFinished() throws {
        let engine = try NetworkedDaemon()
        try engine.docker("swarm", "init")
        try engine.docker("network", "create", "-d", "overlay", "--attachable", "mesh")
        let web = try engine.start("web", "--network", "mesh")
        engine.daemon.crash()
        // As it is written before anything is removed.
        let note = """
            import json, sqlite3, sys
            database = sqlite3.connect(sys.argv[1])
            record = json.loads(database.execute("SELECT record FROM swarm").fetchone()[0])
            database.execute("UPDATE swarm SET record = ?", [json.dumps(dict(record, isLeaving=True))])
            database.commit()
            """
        try Shell.check(["python3", "-c", note, engine.daemon.dataRoot + "/dhow.db"])
        try engine.daemon.start()
        #expect(try state(engine.daemon) == "inactive")
        #expect(try engine.docker("network", "ls", "-q", "--filter", "scope=swarm") == "")
        #expect(try web.place.sh("ip -o link | wc -l").text == "1")
        #expect(try engine.container("web").settings["Networks"]?.object?.members.isEmpty == true)
        #expect(try engine.docker("swarm", "init").contains("is now a manager"))
        engine.remove(["web"])
    }

    // MARK: Bad input

    @Test func aSwarmThatCannotBeLeavesNothing() throws {
        let engine = try NetworkedDaemon()
        let before = try engine.machine.state()
        func refused(_ arguments: [String], _ part: String) throws {
            let output = try engine.daemon.dhow(["swarm", "init"] + arguments)
            #expect(output.status == 1 && output.stderr.contains(part), "\(arguments): \(output)")
            #expect(try state(engine.daemon) == "inactive")
            #expect(try engine.machine.changes(since: before) == [], "\(arguments)")
            #expect(try engine.dhow("network", "ls", "-q").components(separatedBy: "\n").count == 3)
        }
        try refused(["--listen-addr", "bogus"], "listen address must be")
        try refused(["--advertise-addr", "nosuch"], "advertise address must be")
        try refused(["--data-path-port", "80"], "(1024-49151)")
        try refused(["--default-addr-pool", "10.0.0.0/33"], "invalid base pool")
        try refused(["--default-addr-pool-mask-length", "31"], "30 at most")
        // The host's own net is all that there is.
        try refused(["--default-addr-pool", "192.0.2.0/24"], "no subnet of the swarm's address pools is free")
        try engine.host.sh("ip address add 192.0.2.9/24 dev wan0")
        let several = try engine.daemon.docker("swarm", "init")
        #expect(several.stderr.contains("multiple addresses on interface wan0 (192.0.2.1 and 192.0.2.9)"), "\(several)")
        try engine.host.sh("ip address del 192.0.2.9/24 dev wan0")
        try engine.dhow("network", "create", "ingress")
        let taken = try engine.daemon.dhow("swarm", "init")
        #expect(taken.status == 1 && taken.stderr.contains("remove it first"), "\(taken)")
        try engine.dhow("network", "rm", "ingress")
    }

    @Test func anothersBridgeIsLeftAlone() throws {
        let engine = try NetworkedDaemon { machine in
            try machine.host.sh(
                "ip link add docker_gwbridge type bridge; ip address add 172.18.0.1/16 dev docker_gwbridge")
        }
        let theirs = { try engine.host.sh("ip -o address show docker_gwbridge; ip -d link show docker_gwbridge").text }
        let before = try theirs()
        try engine.docker("swarm", "init")
        #expect(
            try !engine.docker("network", "inspect", "-f", "{{.Options}}", "docker_gwbridge").contains("bridge.name"))
        let held = try engine.daemon.docker("network", "rm", "docker_gwbridge")
        #expect(held.status == 1 && held.stderr.contains("has active endpoints"), "\(held)")
        try engine.docker("swarm", "leave", "--force")
        try engine.docker("network", "rm", "docker_gwbridge")
        #expect(try theirs() == before)
    }

    // MARK: Clients

    @Test func dockerPythonLibrary() throws {
        let engine = try NetworkedDaemon()
        let script = #"""
            import docker, sys
            client = docker.DockerClient(base_url="unix://" + sys.argv[1])
            def refused(call, code):
                try: call()
                except docker.errors.APIError as error:
                    assert error.response.status_code == code, (error.response.status_code, error)
                    return str(error)
                raise AssertionError("not refused")
            refused(lambda: client.networks.create("o", driver="overlay"), 503)
            refused(client.swarm.reload, 503)
            refused(client.swarm.leave, 503)
            assert "one node" in refused(lambda: client.swarm.join(["127.0.0.1:2377"], "SWMTKN-1-a-b"), 501)
            node = client.swarm.init(advertise_addr="127.0.0.1", default_addr_pool=["10.33.0.0/16"], subnet_size=26)
            refused(lambda: client.swarm.init(), 503)
            client.swarm.reload()
            assert client.swarm.attrs["DefaultAddrPool"] == ["10.33.0.0/16"] and client.swarm.attrs["SubnetSize"] == 26
            assert client.swarm.attrs["JoinTokens"]["Worker"].startswith("SWMTKN-1-")
            assert [n.id for n in client.nodes.list()] == [node]
            assert client.nodes.list(filters={"role": "worker"}) == []
            own = client.nodes.get(node)
            assert own.update({"Availability": "drain", "Role": "manager", "Labels": {"a": "b"}})
            own.reload(); assert own.attrs["Spec"]["Labels"] == {"a": "b"} and own.attrs["Version"]["Index"] == 2
            refused(lambda: own.update({"Availability": "active", "Role": "worker"}), 400)
            token = client.swarm.attrs["JoinTokens"]["Worker"]
            assert client.swarm.update(rotate_worker_token=True, task_history_retention_limit=3)
            client.swarm.reload(); assert client.swarm.attrs["JoinTokens"]["Worker"] != token
            assert client.swarm.attrs["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"] == 3
            for empty in (client.services, client.secrets, client.configs): assert empty.list() == []
            assert "not implemented" in refused(lambda: client.services.create("busybox"), 501)
            refused(lambda: client.services.get("x"), 404)
            net = client.networks.create("py", driver="overlay", attachable=True, labels={"l": "1"})
            assert net.attrs["Scope"] == "swarm" and net.attrs["Attachable"] and len(net.id) == 25, net.attrs
            assert net.attrs["IPAM"]["Config"] == [{"Subnet": "10.33.0.64/26", "Gateway": "10.33.0.65"}], net.attrs
            assert {n.name for n in client.networks.list(filters={"scope": "swarm"})} == {"ingress", "py"}
            assert client.networks.get("py", scope="swarm").id == net.id
            refused(lambda: client.networks.get("py", scope="local"), 404)
            client.networks.get("ingress").remove()
            assert client.networks.create("way", driver="overlay", ingress=True).attrs["Ingress"]
            refused(lambda: client.networks.create("way2", driver="overlay", ingress=True), 409)
            refused(lambda: client.networks.create("way3", driver="overlay", ipam=docker.types.IPAMConfig(
                pool_configs=[docker.types.IPAMPool(subnet="10.33.0.64/27")])), 403)
            assert client.networks.prune()["NetworksDeleted"] == ["py"]
            refused(lambda: client.swarm.leave(), 503)
            assert client.swarm.leave(force=True)
            assert client.info()["Swarm"]["LocalNodeState"] == "inactive"
            print("docker-py is content")
            """#
        let output = try Shell.run(["python3", "-c", script, engine.daemon.socket])
        #expect(output.text == "docker-py is content", "\(output)")
    }
}
