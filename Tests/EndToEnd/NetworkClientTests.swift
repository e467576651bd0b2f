import Foundation
import JSON
import Testing

/// docker-compose, docker-py and the real `docker` with networks.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkClientTests {
    private static let shared = Result { try NetworkedDaemon.shared() }
    private let engine: NetworkedDaemon

    init() throws { engine = try Self.shared.get() }

    private func compose(_ directory: ScratchDirectory, _ arguments: String...) throws -> Output {
        try Shell.check(
            [
                "docker-compose", "--project-directory", directory.path, "-f", directory.file("docker-compose.yml"),
                "-p", "shop",
            ]
                + arguments,
            environment: ["DOCKER_HOST": "unix://\(engine.daemon.socket)", "COMPOSE_HTTP_TIMEOUT": "60"])
    }

    /// A web server that counts its visits in a store, and a worker that empties a queue of the store's: each finds the
    /// others by name.
    private static let project = #"""
        version: "2.4"
        services:
          store:
            image: busybox:test
            networks: {back: {aliases: [redis]}}
            command:
              - sh
              - -c
              - |
                printf '#!/bin/sh\nread word value; case $$word in SET) echo $$value > /tmp/v; echo OK;; GET) cat /tmp/v;; esac\n' > /tmp/store
                chmod +x /tmp/store; echo 0 > /tmp/v; exec nc -ll -p 6379 -e /tmp/store
          worker:
            image: busybox:test
            networks: [back]
            depends_on: [store]
            command: [sh, -c, "while :; do echo SET worked | nc redis 6379 -w 5; sleep 1; done"]
          web:
            image: busybox:test
            networks:
              front: {ipv4_address: 10.90.0.10}
              back: {}
            depends_on: [store]
            ports: ["8800:80", "80"]
            extra_hosts: ["known:10.1.1.1"]
            command:
              - sh
              - -c
              - |
                mkdir -p /www/cgi-bin; printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"; echo GET | nc store 6379 -w 5\n' > /www/cgi-bin/value
                chmod +x /www/cgi-bin/value; exec httpd -f -p 80 -h /www
          visitor:
            image: busybox:test
            networks: [front]
            command: [sleep, "100000"]
        networks:
          front:
            enable_ipv6: false
            ipam: {config: [{subnet: 10.90.0.0/24, gateway: 10.90.0.1}]}
          back:
            internal: false
            driver_opts: {com.docker.network.driver.mtu: "1400"}
        """#

    @Test(.enabled(if: Shell.exists("docker-compose"))) func aProjectOfCompose() throws {
        let directory = try ScratchDirectory("compose")
        try directory.write(Self.project, to: "docker-compose.yml")
        defer { _ = try? compose(directory, "down", "-t", "0", "-v") }
        _ = try compose(directory, "up", "-d")
        #expect(try eventually { try engine.outside.get("http://\(TestHost.address4):8800/cgi-bin/value") == "worked" })
        let port = try compose(directory, "port", "web", "80").text.components(separatedBy: ":").last ?? ""
        #expect(try engine.host.get("http://127.0.0.1:\(port)/cgi-bin/value") == "worked")
        let web = try engine.container("shop_web_1")
        #expect(web.address4("shop_front") == "10.90.0.10")
        // Services meet on the networks that they share, and only there.
        let visitor = try engine.container("shop_visitor_1").place
        #expect(try visitor.resolve("web") == ["10.90.0.10"])
        #expect(try visitor.resolve("store") == ["NXDOMAIN"])
        #expect(try visitor.resolve("redis") == ["NXDOMAIN"])
        #expect(try compose(directory, "exec", "-T", "web", "nslookup", "redis").text.contains("Address"))
        // More of one service: the name stands for all of them.
        _ = try compose(directory, "up", "-d", "--scale", "visitor=3", "--no-recreate")
        #expect(try web.place.resolve("visitor").count == 3)
        // Again without a change: nothing is made anew.
        let id = web.id
        _ = try compose(directory, "up", "-d", "--scale", "visitor=3")
        #expect(try engine.container("shop_web_1").id == id)
        _ = try compose(directory, "restart", "-t", "0")
        #expect(try eventually { try engine.outside.get("http://\(TestHost.address4):8800/cgi-bin/value") == "worked" })
        _ = try compose(directory, "down", "-t", "0")
        #expect(
            try engine.dhow("network", "ls", "--format", "{{.Name}}").components(separatedBy: "\n") == [
                "bridge", "host", "none",
            ])
        #expect(try engine.dhow("ps", "-aq") == "")
    }

    @Test func dockerPythonLibrary() throws {
        let script = #"""
            import docker, sys
            from docker.types import IPAMConfig, IPAMPool
            client = docker.DockerClient(base_url="unix://" + sys.argv[1])
            image = sys.argv[2]
            def refused(call, code):
                try: call()
                except docker.errors.APIError as error:
                    assert error.response.status_code == code, (error.response.status_code, error)
                else: raise AssertionError("not refused")
            assert {"bridge", "host", "none"} <= {n.name for n in client.networks.list()}
            net = client.networks.create("py1", driver="bridge", options={"com.docker.network.driver.mtu": "1400"},
                ipam=IPAMConfig(pool_configs=[IPAMPool(subnet="10.91.0.0/24", iprange="10.91.0.128/25", gateway="10.91.0.254",
                aux_addresses={"reserved": "10.91.0.128"})]), labels={"l": "1"}, internal=True, attachable=True)
            other = client.networks.create("py2", enable_ipv6=True, check_duplicate=True)
            containers = []
            try:
                a = net.attrs
                assert a["Name"] == "py1" and a["Driver"] == "bridge" and a["Internal"] and a["Attachable"], a
                assert a["Labels"] == {"l": "1"} and a["Options"]["com.docker.network.driver.mtu"] == "1400"
                assert a["IPAM"]["Config"] == [{"Subnet": "10.91.0.0/24", "IPRange": "10.91.0.128/25",
                    "Gateway": "10.91.0.254", "AuxiliaryAddresses": {"reserved": "10.91.0.128"}}], a["IPAM"]
                assert a["Scope"] == "local" and a["Containers"] == {} and not a["EnableIPv6"] and len(a["Id"]) == 64
                assert other.attrs["EnableIPv6"] and len(other.attrs["IPAM"]["Config"]) == 2, other.attrs
                assert client.networks.get(net.id[:12]).id == net.id and client.networks.get("py1").id == net.id
                assert [n.name for n in client.networks.list(names=["py1"])] == ["py1"]
                assert [n.name for n in client.networks.list(ids=[net.id])] == ["py1"]
                assert [n.name for n in client.networks.list(filters={"label": "l=1"})] == ["py1"]
                assert {n.name for n in client.networks.list(filters={"type": "custom"})} == {"py1", "py2"}
                refused(lambda: client.networks.create("py1", check_duplicate=True), 409)
                refused(lambda: client.networks.create("py3", driver="nosuch"), 404)
                refused(lambda: client.networks.create("py3", ipam=IPAMConfig(pool_configs=[IPAMPool(subnet="10.91.0.0/25")])), 403)
                refused(lambda: client.networks.get("nosuch"), 404)
                refused(lambda: client.networks.get("bridge").remove(), 403)

                c = client.containers.create(image, ["sleep", "1000"], name="pyc", network="py1"); containers.append(c)
                net.reload(); assert net.containers == []
                other.connect(c, aliases=["alias"], links=None)
                c.start(); c.reload()
                networks = c.attrs["NetworkSettings"]["Networks"]
                assert set(networks) == {"py1", "py2"}, networks
                assert networks["py1"]["IPAddress"].startswith("10.91.0.") and networks["py2"]["GlobalIPv6Address"]
                assert networks["py1"]["Gateway"] == "" and networks["py2"]["Gateway"], networks
                assert "alias" in networks["py2"]["Aliases"], networks["py2"]
                assert {"pyc", "alias", c.short_id} <= set(networks["py2"]["DNSNames"]), networks["py2"]
                net.reload(); assert [x.name for x in net.containers] == ["pyc"]
                refused(net.remove, 403)
                refused(lambda: other.connect(c), 403)
                other.disconnect(c); c.reload()
                assert set(c.attrs["NetworkSettings"]["Networks"]) == {"py1"}
                refused(lambda: other.disconnect(c), 403)
                other.connect(c, ipv4_address=None); other.disconnect(c, force=True)
                net.disconnect(c)
                net.connect(c, ipv4_address="10.91.0.200"); c.reload()
                assert c.attrs["NetworkSettings"]["Networks"]["py1"]["IPAddress"] == "10.91.0.200"
                assert c.attrs["NetworkSettings"]["Networks"]["py1"]["IPAMConfig"] == {"IPv4Address": "10.91.0.200"}

                d = client.containers.run(image, ["sleep", "1000"], name="pyd", detach=True, network="py2",
                    ports={"80/tcp": 8810, "53/udp": ("127.0.0.1", 8811), "81": None, "82/tcp": [8812, 8813]},
                    dns=["192.0.2.2"], extra_hosts={"known": "10.1.1.1"}, hostname="dee", domainname="test",
                    mac_address="02:00:00:00:00:05"); containers.append(d)
                d.reload()
                ports = d.attrs["NetworkSettings"]["Ports"]
                assert {"HostIp": "0.0.0.0", "HostPort": "8810"} in ports["80/tcp"], ports
                assert ports["53/udp"] == [{"HostIp": "127.0.0.1", "HostPort": "8811"}], ports
                assert int(ports["81/tcp"][0]["HostPort"]) >= 32768, ports
                assert {p["HostPort"] for p in ports["82/tcp"]} == {"8812", "8813"}, ports
                assert d.attrs["NetworkSettings"]["Networks"]["py2"]["MacAddress"] == "02:00:00:00:00:05"
                assert client.api.port(d.id, 80)[0]["HostPort"] == "8810"
                listed = client.api.containers(filters={"network": "py2"})
                assert [x["Names"][0] for x in listed] == ["/pyd"], listed
                assert any(p.get("PublicPort") == 8810 for p in listed[0]["Ports"]), listed
                # An internal network publishes nothing.
                assert client.containers.run(image, "true", name="pyf", ports={"80": 8819}, network="py1") == b""
                containers.append(client.containers.get("pyf"))
                assert b"10.1.1.1\tknown" in d.exec_run("cat /etc/hosts").output
                refused(lambda: client.containers.run(image, "true", ports={"80": 8810}, remove=True), 500)
                host = client.containers.run(image, ["ip", "link"], network_mode="host", remove=True)
                assert b"wan0" in host, host
                shared = client.containers.run(image, ["hostname"], network_mode="container:pyd", remove=True)
                assert shared == b"dee\n", shared
                low = client.api.create_container(image, ["sleep", "1000"], name="pye", networking_config=
                    client.api.create_networking_config({"py2": client.api.create_endpoint_config(aliases=["low"])}),
                    host_config=client.api.create_host_config(network_mode="py2")); containers.append(client.containers.get(low["Id"]))
                client.api.start(low)
            finally:
                for c in containers: c.remove(force=True)
                for n in (net, other): n.remove()
            pruned = client.networks.create("py9")
            assert client.networks.prune(filters={"label!": "kept"})["NetworksDeleted"] == ["py9"]
            print("docker-py is content")
            """#
        let output = try Shell.run(["python3", "-c", script, engine.daemon.socket, Images.busybox])
        #expect(output.text == "docker-py is content", "\(output)")
    }

    @Test(.enabled(if: Shell.exists("docker"))) func theRealCommandShowsNetworksAndPorts() throws {
        defer { engine.remove(["shown"], networks: ["visible"]) }
        let id = try engine.docker("network", "create", "visible")
        #expect(try engine.docker("network", "ls", "--no-trunc").contains("\(id)   visible   bridge    local"))
        try engine.docker(
            "run", "-d", "--name", "shown", "--network", "visible", "-p", "8820:80", "-p", "127.0.0.1:8821:81/udp",
            Images.busybox, "sleep", "100000")
        #expect(
            try engine.docker("ps", "--format", "{{.Names}} {{.Ports}} {{.Networks}}")
                == "shown 0.0.0.0:8820->80/tcp, 127.0.0.1:8821->81/udp visible"
                || engine.docker("ps", "--format", "{{.Ports}}")
                    == "0.0.0.0:8820->80/tcp, [::]:8820->80/tcp, 127.0.0.1:8821->81/udp"
        )
        #expect(try engine.docker("port", "shown", "81/udp") == "127.0.0.1:8821")
        let own = try engine.dhow("ps", "--format", "{{.Names}} {{.Ports}} {{.Networks}}")
        #expect(try engine.docker("ps", "--format", "{{.Names}} {{.Ports}} {{.Networks}}") == own)
        // Both commands read the same answers: what they print of them is the same.
        for arguments in [
            ["network", "inspect", "visible"], ["network", "inspect", "--verbose", "bridge"], ["network", "ls"],
            ["port", "shown"], ["inspect", "-f", "{{json .NetworkSettings.Networks}}", "shown"],
        ] {
            let theirs = try Shell.check(["docker", "-H", "unix://\(engine.daemon.socket)"] + arguments).stdout
            let ours = try Shell.check([Programs.dhow, "-H", "unix://\(engine.daemon.socket)"] + arguments).stdout
            #expect(ours == theirs, "\(arguments)")
        }
    }
}
