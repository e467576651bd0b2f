import ContainerNetwork

/// What the daemon's flags and `daemon.json` say of networks.
public struct NetworkConfiguration: Sendable {
    /// `--bridge`: an interface for the default network instead of `docker0`, or `none` for no default network.
    public var bridge: String?
    /// `--bip`, `--bip6`: the default bridge's addresses with their subnets' lengths.
    public var bridgeAddress4: IPPrefix?
    public var bridgeAddress6: IPPrefix?
    /// `--fixed-cidr`, `--fixed-cidr-v6`: from where the default bridge's containers get addresses.
    public var range4: IPPrefix?
    public var range6: IPPrefix?
    /// `--default-gateway`, `--default-gateway-v6`: the default bridge's containers' way out, where that is not the host.
    public var gateway4: IPAddress?
    public var gateway6: IPAddress?
    /// `--ipv6`: whether the default bridge has it.
    public var usesIPv6 = false
    /// `--icc`
    public var allowsCommunication = true
    /// `--ip-masq`
    public var masquerades = true
    /// `--ip-forward`
    public var enablesForwarding = true
    /// `--ip-forward-no-drop`
    public var keepsForeignForwarding = false
    /// `--iptables`: whether the firewall is ours to set up at all.
    public var usesFirewall = true
    /// `--userland-proxy`
    public var usesProxy = true
    /// `--ip`: where ports are published when no address is given.
    public var hostBinding: IPAddress?
    /// `--mtu`, in bytes; `nil` for the kernel's.
    public var mtu: UInt32?
    /// `--default-address-pool`; empty for the standard ones.
    public var pools: [SubnetPools.Pool] = []
    /// `--default-network-opt`: options of new networks, by driver.
    public var defaultOptions: [String: [String: String]] = [:]
    /// `--host-gateway-ip`: what `host-gateway` means in `--add-host`.
    public var hostGateways: [IPAddress] = []

    public init() {}
}
