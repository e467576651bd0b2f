import Kernel

/// What the host's own filter needs when it drops forwarded packets that it does not know, as dockerd, ufw and firewalld
/// set it up: a packet that any base chain drops is gone, whatever ours says.
///
/// One rule is put in front of such a chain: it accepts packets with our mark, which only our table sets, and only in
/// what it lets through. It is written so that `iptables -S` still reads the chain.
struct HostForwarding {
    /// A chain of someone else's that sees forwarded packets.
    private struct Chain {
        let family: String
        let table: String
        let name: String

        var path: String { "\(family) \(table) \(name)" }
    }

    /// The chains that iptables over nf_tables calls FORWARD, and firewalld's.
    private static let chains = [
        Chain(family: "ip", table: "filter", name: "FORWARD"), Chain(family: "ip6", table: "filter", name: "FORWARD"),
        Chain(family: "inet", table: "firewalld", name: "filter_FORWARD"),
    ]

    /// Whether a change to `chain` of `table`, or to the whole table, may concern such a chain.
    static func isConcerned(table: String, chain: String?) -> Bool {
        chains.contains { $0.table == table && (chain == nil || $0.name == chain) }
    }

    let library: NFTablesLibrary
    let mark: UInt32
    /// Our table's name, which tells the rules of several daemons on one host apart.
    let table: String

    private var comment: String { "dhow: packets that table \(table) lets through" }
    private var hex: String { "0x" + String(mark, radix: 16) }

    /// Adds the rules that are needed and are not there.
    /// - Returns: whether any is needed, so that the mark must be set.
    func accept() throws(NetworkError) -> Bool {
        var isNeeded = false
        for chain in Self.chains {
            guard let rules = try listing(chain) else { continue }
            guard rules.contains("policy drop;") || rules.contains("jump DOCKER-USER") || rules.contains("reject")
            else {
                continue
            }
            isNeeded = true
            if rules.contains(comment) { continue }
            do throws(NetworkError) {
                try library.run(
                    "insert rule \(chain.path) meta mark & \(hex) == \(hex) counter accept comment \"\(comment)\"\n")
            } catch  where error.code == .notPermitted && chain.table == "firewalld" {
                throw NetworkError(
                    .notPermitted,
                    "firewalld drops what the host forwards for containers, and keeps its table for itself: set "
                        + "NftablesTableOwner=no in /etc/firewalld/firewalld.conf and restart it")
            }
        }
        for command in ["iptables-legacy", "ip6tables-legacy"] where legacyRules(command).contains("-P FORWARD DROP") {
            isNeeded = true
            if !legacyRules(command).contains(comment) {
                _ = legacy(command, ["-I", "FORWARD"] + rule)
            }
        }
        return isNeeded
    }

    /// Removes the rules. What cannot be removed does no harm: nothing sets the mark.
    func withdraw() {
        for chain in Self.chains {
            guard let rules = try? listing(chain) else { continue }
            for line in rules.split(separator: "\n") where line.contains(comment) {
                guard let handle = line.split(separator: " ").last.flatMap({ Int($0) }) else { continue }
                _ = try? library.run("delete rule \(chain.path) handle \(handle)\n")
            }
        }
        for command in ["iptables-legacy", "ip6tables-legacy"] where legacyRules(command).contains(comment) {
            _ = legacy(command, ["-D", "FORWARD"] + rule)
        }
    }

    /// A chain's rules; `nil` when there is no such chain.
    private func listing(_ chain: Chain) throws(NetworkError) -> String? {
        do throws(NetworkError) { return try library.run("list chain \(chain.path)\n") } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    // MARK: iptables-legacy

    // Its tables are apart from nf_tables, and only its own program (or its socket option's binary protocol) changes
    // them. Where nobody has used it in this namespace, nothing is run.

    private var rule: [String] {
        ["-m", "mark", "--mark", "\(hex)/\(hex)", "-m", "comment", "--comment", comment, "-j", "ACCEPT"]
    }

    private func legacyRules(_ command: String) -> String {
        let names = "/proc/thread-self/net/\(command.hasPrefix("ip6") ? "ip6" : "ip")_tables_names"
        guard let tables = try? FileDescriptor.currentDirectory.readText(names, limit: 4096),
            tables.split(separator: "\n").contains("filter")
        else { return "" }
        return legacy(command, ["-S", "FORWARD"])
    }

    private func legacy(_ command: String, _ arguments: [String]) -> String {
        for directory in ["/usr/sbin", "/sbin", "/usr/bin", "/run/current-system/sw/bin"] {
            let path = "\(directory)/\(command)"
            guard (try? FileDescriptor.currentDirectory.status(of: path)) != nil else { continue }
            let configuration = Subprocess.Configuration(path, arguments: [command, "-w"] + arguments)
            guard let output = try? Subprocess.run(configuration) else { return "" }
            return String(decoding: output.standardOutput, as: UTF8.self)
        }
        return ""
    }
}
