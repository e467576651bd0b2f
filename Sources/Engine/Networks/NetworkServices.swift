import ContainerNetwork
import Kernel
import Logging
import Synchronization

/// What runs for containers on one event thread: their name servers, the proxies of their ports, and the watch that
/// repairs the firewall when another program flushes it.
final class NetworkServices: Sendable {
    let names: NameServer
    let proxy: PortProxy
    private let thread: EventThread
    private let firewall: Firewall
    private let logger: Logger
    private let isFollowingHost = Mutex(false)

    init(firewall: Firewall, logger: Logger) throws {
        self.firewall = firewall
        self.logger = logger
        thread = try EventThread()
        names = NameServer(on: thread)
        proxy = PortProxy(on: thread)
    }

    /// Begins to watch nftables.
    func watchFirewall() throws {
        let monitor = try FirewallMonitor(table: firewall.configuration.table)
        let repair = FirewallRepair(firewall: firewall, logger: logger)
        thread.post { loop in
            _ = try? loop.watch(monitor.descriptor, .readable) { _ in
                // Repairing takes milliseconds of the kernel's time, which the names and proxies should not wait for.
                if (try? monitor.changes()) != false { repair.schedule() }
            }
        }
    }

    /// Forwards containers' questions to the host's servers, as its `resolv.conf` names them.
    func followHostServers() async throws {
        let isFirst = isFollowingHost.withLock { isFollowing in
            defer { isFollowing = true }
            return !isFollowing
        }
        if isFirst { try await names.followHostFile() }
    }

    func close() { thread.shutDown() }
}

/// Makes the table again after someone else touched it; changes that come meanwhile are one more repair.
private final class FirewallRepair: Sendable {
    private enum Phase { case idle, working, again }

    private let firewall: Firewall
    private let logger: Logger
    private let phase = Mutex(Phase.idle)

    init(firewall: Firewall, logger: Logger) {
        self.firewall = firewall
        self.logger = logger
    }

    func schedule() {
        let starts = phase.withLock { phase in
            defer { phase = phase == .idle ? .working : .again }
            return phase == .idle
        }
        guard starts else { return }
        BlockingWork.detach { [self] in
            var goesOn = true
            while goesOn {
                do {
                    try firewall.restore()
                    logger.info("another program changed the firewall; the containers' rules are in place again")
                } catch {
                    logger.error("cannot repair the firewall", metadata: ["error": "\(error)"])
                }
                goesOn = phase.withLock { phase in
                    defer { phase = phase == .again ? .working : .idle }
                    return phase == .again
                }
            }
        }
    }
}
