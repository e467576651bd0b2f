import EngineModel
import OCI

/// What a container's OCI specification is made from, with all names already looked up.
package struct SpecificationInputs: Sendable {
    package var record: ContainerRecord
    package var host: HostFacts
    package var configuration: EngineConfiguration
    package var user = ProcessUser()
    package var security: SecurityOptions
    /// The processes whose namespaces are joined, by the kernel's name of the namespace's file (`net`, `ipc`, `pid`).
    package var joined: [String: Int32] = [:]
    /// What a volume's name leads to.
    package var volumeSources: [String: VolumeSource] = [:]
    /// The host's directory for `/dev/shm`; `nil` for a file system of its own.
    package var shmDirectory: String?
    /// The files for `/etc/resolv.conf`, `/etc/hostname` and `/etc/hosts`, by the path in the container.
    package var etcFiles: [(path: String, source: String)] = []
    /// What tells of the containers that this one is linked to.
    package var linkEnvironment: [String] = []
    /// `cgroupfs` or `systemd`.
    package var cgroupDriver = "cgroupfs"
    package var seccompProfile: SeccompProfile? = .standard
    /// The host's hostname when the container shares its network, else the container's.
    package var hostname = ""

    package init(
        record: ContainerRecord, host: HostFacts, configuration: EngineConfiguration, security: SecurityOptions
    ) {
        self.record = record
        self.host = host
        self.configuration = configuration
        self.security = security
    }

    package enum VolumeSource: Sendable, Equatable {
        case directory(String)
        case fileSystem(type: String, device: String, options: [String])
    }

    package var hostConfig: HostConfig { record.hostConfig }
    package var config: ContainerConfig { record.config }

    package var cgroupsPath: String {
        let asked = hostConfig.resources.cgroupParent
        if cgroupDriver == "systemd" {
            let slice = !asked.isEmpty ? asked : configuration.cgroupParent ?? "system.slice"
            return "\(slice):dhow:\(record.id)"
        }
        let parent = !asked.isEmpty ? asked : configuration.cgroupParent ?? "/dhow"
        return PathText.join("/" + parent, record.id)
    }

    package var usesPrivateCgroupNamespace: Bool { hostConfig.cgroupnsMode == "private" && host.hasCgroupNamespaces }

    package var capabilities: [String] {
        get throws(EngineError) {
            try Capabilities.resolve(
                add: hostConfig.capAdd ?? [], drop: hostConfig.capDrop ?? [], isPrivileged: hostConfig.privileged)
        }
    }

    package var initPath: String? { (hostConfig.`init` ?? configuration.initByDefault) ? "/sbin/docker-init" : nil }
}
