import ContainerNetwork
import EngineModel
import Kernel

extension ContainerEngine {
    /// Writes the files for `/etc`, as Docker makes them; a container that shares another's network also shares its
    /// files. Blocks.
    func etcFiles(_ record: ContainerRecord, _ run: RunNetworkRecord?) throws -> [(path: String, source: String)] {
        if let other = ContainerReference(record.hostConfig.networkMode) {
            _ = try registry.find(other.name)
        } else {
            let directory = storage.containers.directory(of: record.id)
            try HostFiles.replace("\(directory)/resolv.conf", resolverSettings(record).text)
            try HostFiles.replace("\(directory)/hosts", try hostsText(record, run))
            try HostFiles.replace("\(directory)/hostname", record.config.hostname + "\n")
        }
        return etcPaths(record)
    }

    /// Where the files for `/etc` are.
    func etcPaths(_ record: ContainerRecord) -> [(path: String, source: String)] {
        let owner = ContainerReference(record.hostConfig.networkMode)?.name ?? record.id
        let directory = storage.containers.directory(of: owner)
        return ["resolv.conf", "hostname", "hosts"].map { ("/etc/\($0)", "\(directory)/\($0)") }
    }

    // MARK: hosts

    private func hostsText(_ record: ContainerRecord, _ run: RunNetworkRecord?) throws -> String {
        let host = record.hostConfig
        let isHostNetwork = host.networkMode == "host"
        let extraHosts = host.extraHosts ?? []
        let gateways = try hostGateways(extraHosts, isHostNetwork: isHostNetwork)
        var entries: [HostsFile.Entry] = []
        for text in extraHosts {
            do throws(HostsFile.InvalidHost) { entries += try HostsFile.entries(text, gateways: gateways) } catch {
                throw EngineError.invalid("\(error)")
            }
        }
        if isHostNetwork, let text = HostFiles.text("/etc/hosts") { return HostsFile.adding(entries, to: text) }
        entries += try linkEntries(record)
        return HostsFile(
            hostname: record.config.hostname, domainName: record.config.domainname,
            addresses: Self.addresses(run), extraHosts: entries, hasIPv6: HostFacts.hasIPv6
        ).text
    }

    /// The container's own addresses, in the order of its networks.
    static func addresses(_ run: RunNetworkRecord?) -> [InternetAddress] {
        (run?.endpoints ?? []).flatMap(\.prefixes).compactMap { InternetAddress(bytes: $0.address.bytes) }
    }

    /// What `host-gateway` means, where it is used: the default bridge's own addresses, unless the daemon was told
    /// others.
    private func hostGateways(_ extraHosts: [String], isHostNetwork: Bool) throws -> [InternetAddress] {
        guard extraHosts.contains(where: { $0.hasSuffix(":host-gateway") || $0.hasSuffix("=host-gateway") }) else {
            return []
        }
        if isHostNetwork { return [InternetAddress(ipv4: 127, 0, 0, 1)] }
        let configured = configuration.network.hostGateways
        if !configured.isEmpty { return configured.compactMap { InternetAddress(bytes: $0.bytes) } }
        guard let bridge = networks.network(named: "bridge") else { return [] }
        try make(bridge)
        return bridge.specification.subnets.sorted { $0.prefix < $1.prefix }.compactMap {
            $0.gateway.flatMap { InternetAddress(bytes: $0.bytes) }
        }
    }

    /// The lines for `--link` on the default bridge, which has no names.
    private func linkEntries(_ record: ContainerRecord) throws -> [HostsFile.Entry] {
        guard record.hostConfig.networkMode == "bridge" else { return [] }
        var entries: [HostsFile.Entry] = []
        for (alias, name) in Self.links(record.hostConfig.links ?? []).sorted(by: { $0.key < $1.key }) {
            let other: Container
            do throws(EngineError) { other = try registry.find(name) } catch {
                throw EngineError(error.code, "could not get container for \(name): \(error.message)")
            }
            guard let run = other.read({ $0.network })?.record else {
                throw EngineError(
                    .conflict, "Cannot link to a non running container: /\(other.name) AS /\(record.name)/\(alias)")
            }
            guard run.endpoints.contains(where: { $0.networkName == "bridge" }) else {
                throw EngineError(
                    .invalidParameter, "Cannot link to /\(other.name), as it does not belong to the default network")
            }
            var names = [alias, other.record.config.hostname]
            if other.name != alias { names.append(other.name) }
            for address in Self.addresses(run) {
                entries.append(HostsFile.Entry(address, names.joined(separator: " ")))
            }
        }
        return entries
    }

    /// Changes the lines of the container's own addresses in its file, which it may have edited since; blocks.
    func updateHosts(of container: Container, from old: RunNetworkRecord, to new: RunNetworkRecord) throws {
        let record = container.record
        let path = "\(storage.containers.directory(of: record.id))/hosts"
        guard let text = HostFiles.text(path) else { return }
        func entries(_ run: RunNetworkRecord) -> [HostsFile.Entry] {
            HostsFile(
                hostname: record.config.hostname, domainName: record.config.domainname,
                addresses: Self.addresses(run)
            ).ownEntries
        }
        let (before, after) = (entries(old), entries(new))
        let kept = HostsFile.removing(before.filter { !after.contains($0) }, from: text)
        // In place: it is bound into the container.
        try HostFiles.replace(path, HostsFile.adding(after.filter { !before.contains($0) }, to: kept))
    }

    /// Takes the lines of links that are no more out of a container's file, which it may have edited since; blocks.
    func updateHosts(from old: ContainerRecord, to new: ContainerRecord) throws {
        let path = "\(storage.containers.directory(of: old.id))/hosts"
        guard let text = HostFiles.text(path) else { return }
        let kept = try linkEntries(new)
        let gone = try linkEntries(old).filter { !kept.contains($0) }
        // In place: it is bound into the container.
        try HostFiles.replace(path, HostsFile.removing(gone, from: text))
    }

    // MARK: resolv.conf

    /// A container's `resolv.conf`, and what its name server forwards to: `nil` for the host's servers.
    func resolverSettings(
        _ record: ContainerRecord
    ) -> (text: String, upstreams: (servers: [Upstream]?, hasNdots: Bool)) {
        let host = record.hostConfig
        let isHostNetwork = host.networkMode == "host"
        // With the host's network its own file is right, whatever server it names.
        var file =
            isHostNetwork ? ResolvConf(HostFiles.text("/etc/resolv.conf") ?? "") : HostResolvConf().read()
        func chosen(_ own: [String]?, _ daemon: [String]) -> [String] { (own ?? []).isEmpty ? daemon : own ?? [] }
        let servers = chosen(host.dns, configuration.dns).compactMap { ResolvConf.NameServerLine($0) }
        file.override(
            servers: servers, search: chosen(host.dnsSearch, configuration.dnsSearch),
            options: chosen(host.dnsOptions, configuration.dnsOptions))
        if isHostNetwork { return (file.text, (nil, false)) }
        let onNamedNetwork = EndpointRequests.of(record).contains { request in
            (try? networks.find(request.network))?.hasNames ?? false
        }
        guard onNamedNetwork else {
            file.adaptForDefaultBridge(hasIPv6: networks.network(named: "bridge")?.record.usesIPv6 ?? false)
            return (file.text, (nil, false))
        }
        let (upstreams, hasNdots) = file.adaptForNameServer()
        return (file.text, (servers.isEmpty ? nil : upstreams, hasNdots))
    }
}
