import Kernel
import Testing

@testable import ContainerNetwork

@Suite struct DNSFilesTests {
    private func servers(_ texts: String...) -> [ResolvConf.NameServerLine] { texts.compactMap { .init($0) } }

    @Test func defaultBridgeLosesLoopbackServers() {
        let host =
            "# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch a b\noptions rotate\nsortlist 1\n"
        var file = ResolvConf(host, header: "")
        file.adaptForDefaultBridge(hasIPv6: false)
        #expect(
            file.text == """
                nameserver 192.0.2.1
                search a b
                options rotate
                sortlist 1

                # Based on host file: '/etc/resolv.conf' (legacy)
                # Overrides: []

                """)
        file = ResolvConf(host, header: "")
        file.adaptForDefaultBridge(hasIPv6: true)
        #expect(file.nameServers.map(\.text) == ["192.0.2.1", "2001:db8::1"])
    }

    @Test func defaultBridgeFallsBack() {
        var file = ResolvConf("nameserver 127.0.0.1\nnameserver ::1", header: "")
        file.adaptForDefaultBridge(hasIPv6: true)
        #expect(
            file.text == """
                nameserver 8.8.8.8
                nameserver 8.8.4.4
                nameserver 2001:4860:4860::8888
                nameserver 2001:4860:4860::8844

                # Based on host file: '/etc/resolv.conf' (legacy)
                # Used default nameservers.
                # Overrides: []

                """)
        file = ResolvConf("", header: "")
        file.override(servers: servers("127.0.0.1", "::1"))
        file.adaptForDefaultBridge(hasIPv6: false)
        #expect(file.nameServers.map(\.text) == ["127.0.0.1", "::1"])
    }

    @Test func userDefinedNetworksAskUs() {
        var file = ResolvConf(
            "nameserver 127.0.0.53\noptions trust-ad attempts:3\nnameserver nonsense\ndomain example\n",
            header: "# Made.")
        let (upstreams, hasNdots) = file.adaptForNameServer()
        #expect(upstreams == [Upstream(InternetAddress(ipv4: 127, 0, 0, 53), from: .host)])
        #expect(!hasNdots)
        #expect(
            file.text == """
                # Made.

                nameserver 127.0.0.11
                search example
                options trust-ad attempts:3 ndots:0

                # Based on host file: '/etc/resolv.conf' (internal resolver)
                # ExtServers: [host(127.0.0.53)]
                # Invalid nameservers: [nonsense]
                # Overrides: []
                # Option ndots from: internal

                """)
    }

    @Test func theUserComesFirst() {
        var file = ResolvConf("nameserver 192.0.2.1\nsearch host\noptions ndots:1\n", header: "")
        file.override(servers: servers("127.0.0.53"), search: ["."], options: ["ndots:2"])
        let (upstreams, hasNdots) = file.adaptForNameServer()
        #expect(upstreams.map(\.origin) == [.container])
        #expect(hasNdots)
        #expect(
            file.text == """
                nameserver 127.0.0.11
                options ndots:2

                # Based on host file: '/etc/resolv.conf' (internal resolver)
                # ExtServers: [127.0.0.53]
                # Overrides: [nameservers search options]
                # Option ndots from: override

                """)
        var none = ResolvConf("options ndots:-1 ndots ndots:x", header: "")
        #expect(none.adaptForNameServer().upstreams.isEmpty)
        #expect(none.options == ["ndots:0"])
        #expect(none.text.contains("# NO EXTERNAL NAMESERVERS DEFINED\n"))
    }

    @Test func theStubIsBypassed() throws {
        let directory = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp")
        defer { try? FileDescriptor.currentDirectory.removeTree(directory) }
        let current = FileDescriptor.currentDirectory
        let location = HostResolvConf(path: directory + "/resolv.conf", pathBesideStub: directory + "/real")
        #expect(location.read().nameServers.isEmpty)
        try current.replaceFile(directory + "/real", with: Array("nameserver 192.0.2.9\n".utf8))
        try current.replaceFile(directory + "/resolv.conf", with: Array("nameserver 127.0.0.53\n".utf8))
        #expect(location.read().nameServers.map(\.text) == ["192.0.2.9"])
        try current.replaceFile(
            directory + "/resolv.conf", with: Array("nameserver 127.0.0.53\nnameserver 192.0.2.8\n".utf8))
        #expect(location.read().nameServers.map(\.text) == ["127.0.0.53", "192.0.2.8"])
    }

    @Test func hostsAreWrittenInOrder() throws {
        let gateways = [InternetAddress(ipv4: 172, 17, 0, 1)]
        let extra =
            try HostsFile.entries("gate:host-gateway", gateways: gateways)
            + HostsFile.entries("six=[2001:db8::5]", gateways: [])
            + HostsFile.entries("four:192.0.2.7", gateways: [])
        var file = HostsFile(
            hostname: "box", domainName: "example.org",
            addresses: [InternetAddress(ipv4: 172, 17, 0, 2), try #require(InternetAddress("fd00::2"))],
            extraHosts: extra)
        #expect(
            file.text == """
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                fe00::\tip6-localnet
                ff00::\tip6-mcastprefix
                ff02::1\tip6-allnodes
                ff02::2\tip6-allrouters
                172.17.0.1\tgate
                2001:db8::5\tsix
                192.0.2.7\tfour
                172.17.0.2\tbox.example.org box
                fd00::2\tbox.example.org box

                """)
        file.hasIPv6 = false
        #expect(
            file.text
                == "127.0.0.1\tlocalhost\n172.17.0.1\tgate\n192.0.2.7\tfour\n172.17.0.2\tbox.example.org box\n")
        #expect(throws: HostsFile.InvalidHost.self) { try HostsFile.entries("x:host-gateway", gateways: []) }
        #expect(throws: HostsFile.InvalidHost.self) { try HostsFile.entries("x", gateways: []) }
        #expect(throws: HostsFile.InvalidHost.self) { try HostsFile.entries("x:1.2.3", gateways: []) }
    }

    @Test func hostsAreEditedAsTheyAre() {
        let entry = HostsFile.Entry(InternetAddress(ipv4: 10, 0, 0, 2), "box")
        let edited = "127.0.0.1 localhost # mine"
        let more = HostsFile.adding([entry], to: edited)
        #expect(more == edited + "\n10.0.0.2\tbox\n")
        #expect(HostsFile.removing([entry], from: more) == edited + "\n")
    }
}
