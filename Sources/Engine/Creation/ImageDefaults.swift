import EngineModel

extension ContainerConfig {
    /// Completes a request by what its image says, by Docker's rules: lists of names are united, a single value of the
    /// request counts, and an entrypoint of one's own also puts aside the image's command.
    package mutating func inherit(_ image: ContainerConfig) {
        if user.isEmpty { user = image.user }
        if let ports = image.exposedPorts { exposedPorts = (exposedPorts ?? [:]).merging(ports) { own, _ in own } }
        if let volumes = image.volumes { self.volumes = (self.volumes ?? [:]).merging(volumes) { own, _ in own } }
        inheritEnvironment(image.env ?? [])
        labels = (image.labels ?? [:]).merging(labels ?? [:]) { _, own in own }
        if entrypoint?.isEmpty ?? true {
            if cmd?.isEmpty ?? true {
                cmd = image.cmd
                argsEscaped = image.argsEscaped
            }
            if entrypoint == nil { entrypoint = image.entrypoint }
        }
        inheritHealthcheck(image.healthcheck)
        if workingDir.isEmpty { workingDir = image.workingDir }
        if stopSignal.isEmpty { stopSignal = image.stopSignal }
        if shell == nil { shell = image.shell }
        // `--entrypoint ""` arrives as one empty word, and means none.
        if entrypoint == [""] { entrypoint = nil }
    }

    private mutating func inheritEnvironment(_ image: [String]) {
        guard let own = env, !own.isEmpty else {
            env = image.isEmpty ? env : image
            return
        }
        let names = Set(own.map(Environment.name))
        env = own + image.filter { !names.contains(Environment.name(of: $0)) }
    }

    private mutating func inheritHealthcheck(_ image: HealthConfig?) {
        guard let image else { return }
        guard var own = healthcheck else {
            healthcheck = image
            return
        }
        if own.test?.isEmpty ?? true { own.test = image.test }
        if own.interval == 0 { own.interval = image.interval }
        if own.timeout == 0 { own.timeout = image.timeout }
        if own.startPeriod == 0 { own.startPeriod = image.startPeriod }
        if own.startInterval == 0 { own.startInterval = image.startInterval }
        if own.retries == 0 { own.retries = image.retries }
        healthcheck = own
    }
}

/// Lists of `NAME=value`.
package enum Environment {
    package static func name(of entry: String) -> String {
        entry.firstIndex(of: "=").map { String(entry[..<$0]) } ?? entry
    }

    /// `defaults`, with the values of `overrides`, whose new names follow; a name without a value takes it away.
    package static func merge(_ defaults: [String], _ overrides: [String]) -> [String] {
        var result: [String?] = defaults
        var places: [String: Int] = [:]
        for (place, entry) in defaults.enumerated() { places[name(of: entry)] = place }
        for entry in overrides {
            let name = name(of: entry)
            let value: String? = entry.contains("=") ? entry : nil
            if let place = places[name] {
                result[place] = value
            } else if let value {
                places[name] = result.count
                result.append(value)
            }
        }
        return result.compactMap { $0 }
    }
}
