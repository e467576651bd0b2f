import Kernel

/// The host's forwarding of packets between interfaces.
public enum Forwarding {
    /// What was turned on: `true` for a family that the host did not forward before.
    ///
    /// With IPv6 forwarding the kernel stops heeding router advertisements where `accept_ra` is 1: interfaces that had
    /// their addresses and routes from them keep doing so (2).
    @discardableResult
    public static func enable(ipv4: Bool, ipv6: Bool) throws(NetworkError) -> (ipv4: Bool, ipv6: Bool) {
        try attempt("turn forwarding on (or turn it off with --ip-forward=false)") { () throws(KernelError) in
            var changed = (ipv4: false, ipv6: false)
            if ipv4 { changed.ipv4 = try NetworkSysctl.ensure(["ipv4", "ip_forward"], "1") != "1" }
            if ipv6, try NetworkSysctl.read(["ipv6", "conf", "all", "forwarding"]) != "1" {
                let names = try FileDescriptor.open("/proc/sys/net/ipv6/conf", [.readOnly, .directory]).entries()
                for name in names.map(\.name) where name != "all" && name != "default" {
                    if try NetworkSysctl.read(["ipv6", "conf", name, "accept_ra"]) == "1" {
                        try NetworkSysctl.write(["ipv6", "conf", name, "accept_ra"], "2")
                    }
                }
                try NetworkSysctl.ensure(["ipv6", "conf", "default", "forwarding"], "1")
                try NetworkSysctl.write(["ipv6", "conf", "all", "forwarding"], "1")
                changed.ipv6 = true
            }
            return changed
        }
    }
}
