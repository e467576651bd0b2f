import Kernel
import OCI

/// The five capability sets of a process.
public struct CapabilitySets: Sendable, Equatable {
    public var bounding: CapabilitySet
    public var effective: CapabilitySet
    public var inheritable: CapabilitySet
    public var permitted: CapabilitySet
    public var ambient: CapabilitySet

    /// Unknown names are left out: the host may be older than the specification.
    public init(_ names: LinuxCapabilities) {
        func set(_ names: [String]?) -> CapabilitySet {
            CapabilitySet((names ?? []).compactMap { Capability(name: $0) })
        }
        bounding = set(names.bounding)
        effective = set(names.effective)
        inheritable = set(names.inheritable)
        permitted = set(names.permitted)
        ambient = set(names.ambient)
    }
}
