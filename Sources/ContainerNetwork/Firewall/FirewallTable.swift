/// The table's text: what does not depend on networks and ports. Those are only elements of sets and maps, so a packet
/// costs the same however many there are, and adding one touches nothing else.
enum FirewallTable {
    /// The end of the forward chain where it was Dhow that made a router of the host. Bridges that are not ours are
    /// another engine's, which guards them itself: a drop here would be final.
    private static let foreign = """
        ct state established,related accept
        meta iifkind "bridge" accept
        meta oifkind "bridge" accept
        drop
        """

    /// The table without elements, replacing one that is there, as one transaction.
    ///
    /// - Parameters:
    ///   - mark: a bit to set in the mark of packets that are let through, for a rule elsewhere to see.
    ///   - translatesLoopback: whether 127.0.0.0/8 reaches published ports by translation.
    ///   - dropsForeignForwarding: whether packets between two interfaces that are not ours are dropped.
    static func text(name: String, mark: UInt32?, translatesLoopback: Bool, dropsForeignForwarding: Bool) -> String {
        """
        add table inet \(name)
        delete table inet \(name)
        table inet \(name) {
            # Published ports. On one of the host's addresses:
            map published4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
            map published6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
            # On all of them:
            map wildcard4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
            map wildcard6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
            # At the container's own address (gateway mode routed):
            set open4 { type ipv4_addr . inet_proto . inet_service; }
            set open6 { type ipv6_addr . inet_proto . inet_service; }

            # From one container to another, where they do not communicate otherwise:
            set linked4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }

            # Networks, by their bridges.
            set bridges { type ifname; }
            set self { type ifname . ifname; }
            set inside4 { type ipv4_addr . ipv4_addr; flags interval; }
            set inside6 { type ipv6_addr . ipv6_addr; flags interval; }
            set masquerade4 { type ifname . ipv4_addr; flags interval; }
            set masquerade6 { type ifname . ipv6_addr; flags interval; }
            map snat4 { type ifname : ipv4_addr; }
            map snat6 { type ifname : ipv6_addr; }
            map within { type ifname . ifname : verdict; }
            map from { type ifname : verdict; }
            map to4 { type ifname : verdict; }
            map to6 { type ifname : verdict; }

            chain allow {
                \(mark.map { "meta mark set meta mark | \($0)" } ?? "# no mark: no other chain drops what it does not know")
                accept
            }
            chain icc-off {
                ct status dnat goto allow
                ct state established,related goto allow
                ip saddr . ip daddr . meta l4proto . th dport @linked4 goto allow
                drop
            }
            chain to-nat {
                ct status dnat goto allow
                drop
            }
            chain to-routed {
                ct status dnat goto allow
                ip daddr . meta l4proto . th dport @open4 goto allow
                ip6 daddr . meta l4proto . th dport @open6 goto allow
                icmp type echo-request goto allow
                icmpv6 type echo-request goto allow
                drop
            }
            chain to-unprotected {
                ct status dnat goto allow
                iifname @bridges drop
                goto allow
            }
            chain established {
                iifname @bridges goto allow
                oifname @bridges goto allow
            }
            # Before the host's own filter (priority 0), which can then see the mark.
            chain forward {
                type filter hook forward priority -1; policy accept;
                iifname . oifname vmap @within
                ct state established,related jump established
                iifname vmap @from
                meta nfproto ipv4 oifname vmap @to4
                meta nfproto ipv6 oifname vmap @to6
                iifname @bridges goto allow
                \(dropsForeignForwarding ? foreign : "")
            }
            # Some bridges route 127.0.0.0/8 (route_localnet): nobody outside may make use of it.
            chain loopback-guard {
                type filter hook prerouting priority -300; policy accept;
                iifname != "lo" ip daddr 127.0.0.0/8 drop
            }
            chain publish {
                dnat ip to ip daddr . meta l4proto . th dport map @published4
                dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6
                fib daddr type local dnat ip to meta l4proto . th dport map @wildcard4
                fib daddr type local dnat ip6 to meta l4proto . th dport map @wildcard6
            }
            chain nat-prerouting {
                type nat hook prerouting priority -100; policy accept;
                jump publish
            }
            chain nat-output {
                type nat hook output priority -100; policy accept;
                \(translatesLoopback ? "" : "ip daddr 127.0.0.0/8 return")
                # Packets from ::1 cannot leave the host; a proxy serves it.
                ip6 daddr ::1 return
                jump publish
            }
            chain nat-postrouting {
                type nat hook postrouting priority 100; policy accept;
                oifname @bridges ip saddr 127.0.0.0/8 masquerade
                # A container that calls a published port of its own network: the answer must come back this way.
                # By addresses: where bridged packets are filtered, they have no input interface here.
                ct status dnat ip saddr . ip daddr @inside4 masquerade
                ct status dnat ip6 saddr . ip6 daddr @inside6 masquerade
                iifname . oifname @self return
                snat ip to iifname map @snat4
                snat ip6 to iifname map @snat6
                iifname . ip saddr @masquerade4 masquerade
                iifname . ip6 saddr @masquerade6 masquerade
            }
        }

        """
    }
}
