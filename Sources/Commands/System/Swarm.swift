import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    /// What networks need of swarms: a swarm of one node, for overlay networks.
    static var swarmGroup: Command<Action> {
        var group = Command<Action>("swarm", "Manage a swarm of one node", subcommands: [swarmInit, swarmLeave])
        group.group = "Management Commands"
        return group
    }

    private static var swarmInit: Command<Action> {
        Command<Action>(
            "init", "Make this node a swarm, for overlay networks", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let advertise = flags.string("advertise-addr", "Advertised address (format: \"<ip|interface>[:port]\")")
            let dataPath = flags.string("data-path-addr", "Address or interface to use for data path traffic")
            let dataPathPort = flags.int("data-path-port", "Port number to use for data path traffic (1024 - 49151)")
            let pools = flags.strings("default-addr-pool", "Default address pool in CIDR format")
            let size = flags.int("default-addr-pool-mask-length", "Default address pool subnet mask length")
            let force = flags.bool("force-new-cluster", "Force create a new cluster from current state")
            let listen = flags.string(
                "listen-addr", default: "0.0.0.0:2377", "Listen address (format: \"<ip|interface>[:port]\")")
            return { context, _ in
                var request = SwarmInitRequest()
                request.listenAddr = listen.value
                request.advertiseAddr = advertise.value
                request.dataPathAddr = dataPath.value
                request.defaultAddrPool = pools.value
                guard let port = UInt32(exactly: dataPathPort.value), let length = UInt32(exactly: size.value) else {
                    throw ExitStatus(1, "a port and a mask's length are not negative")
                }
                request.dataPathPort = port
                request.subnetSize = length
                request.forceNewCluster = force.value
                let node = try await context.call("POST", "/swarm/init", body: request.json)
                Output.print(
                    """
                    Swarm initialized: current node (\(node.string ?? "")) is now a manager.

                    It is of this node alone: create networks with --driver overlay --attachable.
                    """)
            }
        }
    }

    private static var swarmLeave: Command<Action> {
        Command<Action>("leave", "Leave the swarm", usage: "[OPTIONS]", arguments: ArgumentCount.none) { flags in
            let force = flags.bool("force", "f", "Force this node to leave the swarm, ignoring warnings")
            return { context, _ in
                try await context.call("POST", "/swarm/leave", force.value ? [("force", "1")] : [])
                Output.print("Node left the swarm.")
            }
        }
    }
}
