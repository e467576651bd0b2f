import JSON
import OCI

/// A seccomp profile: rules that hold on certain architectures, kernels and capabilities, as Docker's profiles do.
package struct SeccompProfile: Sendable {
    package struct Rule: Sendable {
        package var names: [String]
        package var action = "SCMP_ACT_ALLOW"
        package var errno: UInt32?
        package var arguments: [LinuxSeccompArg] = []
        /// Go's names; empty for any.
        package var onArchitectures: [String] = []
        /// All of them.
        package var withCapabilities: [String] = []
        /// None of them.
        package var withoutCapabilities: [String] = []
        package var notOnArchitectures: [String] = []
        package var minimumKernel: (major: Int, minor: Int)?
    }

    package var defaultAction: String
    package var defaultErrno: UInt32?
    /// libseccomp's names, each with those whose programs it also runs.
    package var architectures: [String: [String]] = [:]
    /// Fixed architectures, of a profile that does not choose by the host's.
    package var fixedArchitectures: [String]?
    package var flags: [String] = []
    package var listenerPath: String?
    package var listenerMetadata: String?
    package var rules: [Rule] = []

    package init(defaultAction: String, defaultErrno: UInt32? = nil) {
        self.defaultAction = defaultAction
        self.defaultErrno = defaultErrno
    }

    /// The OCI filter for a container with these capabilities.
    /// - Parameters:
    ///   - architecture: the host's, in Go's name.
    ///   - kernel: the host's version.
    package func resolve(capabilities: Set<String>, architecture: String, kernel: (major: Int, minor: Int))
        -> LinuxSeccomp
    {
        var filter = LinuxSeccomp()
        filter.defaultAction = defaultAction
        filter.defaultErrnoRet = defaultErrno
        if let native = Self.libseccompNames[architecture] {
            if let fixedArchitectures {
                filter.architectures = fixedArchitectures
            } else if let more = architectures[native] {
                filter.architectures = [native] + more
            } else if architectures.isEmpty {
                filter.architectures = nil
            } else {
                filter.architectures = [native]
            }
        }
        filter.flags = flags.isEmpty ? nil : flags
        filter.listenerPath = listenerPath
        filter.listenerMetadata = listenerMetadata
        filter.syscalls = rules.filter { rule in
            if !rule.onArchitectures.isEmpty, !rule.onArchitectures.contains(architecture) { return false }
            if rule.notOnArchitectures.contains(architecture) { return false }
            if !capabilities.isSuperset(of: rule.withCapabilities) { return false }
            if !capabilities.isDisjoint(with: rule.withoutCapabilities) { return false }
            if let least = rule.minimumKernel, (kernel.major, kernel.minor) < least { return false }
            return true
        }.map { rule in
            LinuxSyscall(
                names: rule.names, action: rule.action, errnoRet: rule.errno,
                args: rule.arguments.isEmpty ? nil : rule.arguments)
        }
        return filter
    }

    package static let libseccompNames: [String: String] = [
        "amd64": "SCMP_ARCH_X86_64", "386": "SCMP_ARCH_X86", "arm64": "SCMP_ARCH_AARCH64", "arm": "SCMP_ARCH_ARM",
        "ppc64le": "SCMP_ARCH_PPC64LE", "s390x": "SCMP_ARCH_S390X", "riscv64": "SCMP_ARCH_RISCV64",
    ]
}

extension SeccompProfile {
    /// A profile in Docker's format, or in the OCI's, which is a part of it.
    /// - Throws: `EngineError.invalidParameter`.
    package init(parsing text: String) throws(EngineError) {
        do throws(JSONError) {
            let json = try JSONValue(parsing: text)
            let document = try Document(json: json)
            self.init(defaultAction: document.defaultAction, defaultErrno: document.defaultErrnoRet)
            flags = document.flags ?? []
            listenerPath = document.listenerPath
            listenerMetadata = document.listenerMetadata
            fixedArchitectures = document.architectures
            for entry in document.archMap ?? [] { architectures[entry.architecture] = entry.subArchitectures ?? [] }
            for entry in document.syscalls ?? [] {
                let include = entry.includes ?? Document.Condition()
                let exclude = entry.excludes ?? Document.Condition()
                var rule = Rule(names: entry.names ?? (entry.name.map { [$0] } ?? []))
                rule.action = entry.action
                rule.errno = entry.errnoRet
                rule.arguments = entry.args ?? []
                rule.onArchitectures = include.arches ?? []
                rule.withCapabilities = include.caps ?? []
                rule.withoutCapabilities = exclude.caps ?? []
                rule.notOnArchitectures = exclude.arches ?? []
                if let version = include.minKernel {
                    let parts = version.split(separator: ".").map { Int($0) }
                    guard parts.count >= 2, let major = parts[0], let minor = parts[1] else {
                        throw JSONError(code: .type, reason: "\"\(version)\" is no kernel version", path: "minKernel")
                    }
                    rule.minimumKernel = (major, minor)
                }
                rules.append(rule)
            }
        } catch {
            throw .invalid("decoding seccomp profile failed: \(error)")
        }
    }

    private struct Document: JSONRecord {
        var defaultAction = ""
        var defaultErrnoRet: UInt32?
        var architectures: [String]?
        var archMap: [Architecture]?
        var flags: [String]?
        var listenerPath: String?
        var listenerMetadata: String?
        var syscalls: [Entry]?
        var unknownMembers = JSONObject()
        init() {}
        mutating func members(_ json: inout JSONMembers) {
            json.required("defaultAction", &defaultAction)
            json.optional("defaultErrnoRet", &defaultErrnoRet)
            json.optional("architectures", &architectures)
            json.optional("archMap", &archMap)
            json.optional("flags", &flags)
            json.optional("listenerPath", &listenerPath)
            json.optional("listenerMetadata", &listenerMetadata)
            json.optional("syscalls", &syscalls)
        }

        struct Architecture: JSONRecord {
            var architecture = ""
            var subArchitectures: [String]?
            var unknownMembers = JSONObject()
            init() {}
            mutating func members(_ json: inout JSONMembers) {
                json.required("architecture", &architecture)
                json.optional("subArchitectures", &subArchitectures)
            }
        }

        struct Entry: JSONRecord {
            var name: String?
            var names: [String]?
            var action = ""
            var errnoRet: UInt32?
            var args: [LinuxSeccompArg]?
            var includes: Condition?
            var excludes: Condition?
            var unknownMembers = JSONObject()
            init() {}
            mutating func members(_ json: inout JSONMembers) {
                json.optional("name", &name)
                json.optional("names", &names)
                json.required("action", &action)
                json.optional("errnoRet", &errnoRet)
                json.optional("args", &args)
                json.optional("includes", &includes)
                json.optional("excludes", &excludes)
            }
        }

        struct Condition: JSONRecord {
            var caps: [String]?
            var arches: [String]?
            var minKernel: String?
            var unknownMembers = JSONObject()
            init() {}
            mutating func members(_ json: inout JSONMembers) {
                json.optional("caps", &caps)
                json.optional("arches", &arches)
                json.optional("minKernel", &minKernel)
            }
        }
    }
}
