import Kernel
import OCI

/// A kind of namespace.
public enum NamespaceKind: String, Sendable, CaseIterable {
    case user, pid, network, ipc, uts, mount, cgroup, time

    /// As the kernel's calls want it.
    public var flag: Namespaces {
        switch self {
        case .time: .time
        case .mount: .mount
        case .cgroup: .cgroup
        case .uts: .uts
        case .ipc: .ipc
        case .user: .user
        case .pid: .pid
        case .network: .network
        }
    }

    /// Its name below `/proc/<pid>/ns`.
    public var procName: String {
        switch self {
        case .mount: "mnt"
        case .network: "net"
        default: rawValue
        }
    }
}

/// Which namespaces a container makes and which it joins.
public struct NamespacePlan: Sendable, Equatable {
    /// New ones.
    public var created: Set<NamespaceKind> = []
    /// Existing ones, by path.
    public var joined: [NamespaceKind: String] = [:]

    public init() {}

    public init(_ namespaces: [LinuxNamespace]) throws(RuntimeError) {
        for namespace in namespaces {
            guard let kind = NamespaceKind(rawValue: namespace.type) else {
                throw RuntimeError(.invalidSpecification, "namespace \"\(namespace.type)\" does not exist")
            }
            guard !contains(kind) else {
                throw RuntimeError(.invalidSpecification, "malformed spec file: duplicated ns \"\(namespace.type)\"")
            }
            if let path = namespace.path, !path.isEmpty {
                guard path.hasPrefix("/") else {
                    throw RuntimeError(
                        .invalidSpecification, "the path of the \(namespace.type) namespace, \(path), is not absolute")
                }
                joined[kind] = path
            } else {
                created.insert(kind)
            }
        }
    }

    /// Whether the container does not share this namespace with the runtime.
    public func contains(_ kind: NamespaceKind) -> Bool { created.contains(kind) || joined[kind] != nil }
}
