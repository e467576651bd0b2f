import Kernel

// Which files there are.

extension RegistriesConf {
    /// Reads the configuration: the main file, then what lies in the folders `registries.conf.d`, in the order of names,
    /// the system's before the user's.
    /// - Parameters:
    ///   - file: instead of the system's or the user's main file. It must be there.
    ///   - environment: `CONTAINERS_REGISTRIES_CONF` names such a file too; `XDG_CONFIG_HOME` or `HOME` say where the
    ///     user's are.
    /// - Throws: `RegistryError.invalidInput`, which names the file and the line.
    public init(file: String? = nil, environment: (String) -> String?) throws(RegistryError) {
        func set(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        self.init()
        let user = (set("XDG_CONFIG_HOME") ?? set("HOME").map { $0 + "/.config" }).map { $0 + "/containers" }
        if let file = file ?? set("CONTAINERS_REGISTRIES_CONF") {
            guard let text = try Self.read(file) else {
                throw RegistryError(.invalidInput, "there is no file \(file) to configure registries with")
            }
            try merge(text, path: file)
        } else {
            for file in [user.map { $0 + "/registries.conf" }, "/etc/containers/registries.conf"] {
                guard let file, let text = try Self.read(file) else { continue }
                try merge(text, path: file)
                break
            }
        }
        for folder in ["/etc/containers/registries.conf.d", user.map { $0 + "/registries.conf.d" }] {
            guard let folder else { continue }
            let names = ((try? FileDescriptor.currentDirectory.entries(of: folder)) ?? []).map(\.name)
            for name in names.filter({ $0.hasSuffix(".conf") }).sorted() {
                guard let text = try Self.read("\(folder)/\(name)") else { continue }
                try merge(text, path: "\(folder)/\(name)")
            }
        }
    }

    private static func read(_ path: String) throws(RegistryError) -> [UInt8]? {
        do throws(KernelError) { return try FileDescriptor.currentDirectory.readFile(path, limit: 1 << 20) } catch {
            if error.code == .notFound || error.code == .notDirectory { return nil }
            throw RegistryError(.invalidInput, "cannot read \(path): \(error)")
        }
    }
}
