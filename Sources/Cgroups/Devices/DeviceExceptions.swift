/// What v1's device controller keeps: a default, and exceptions from it.
struct DeviceExceptions: Equatable {
    var allowsByDefault = false
    var exceptions: [DeviceRule.Key: DeviceRule.Access] = [:]

    /// What rules amount to, when the last that matches wins and what no rule matches is denied.
    /// - Throws: when v1 cannot say it: an exception from an exception.
    init(rules: [DeviceRule]) throws(CgroupError) {
        for rule in rules {
            if rule.key == .everything {
                allowsByDefault = rule.allow
                exceptions = [:]
            } else if rule.allow != allowsByDefault {
                exceptions[rule.key, default: []].formUnion(rule.access)
            } else {
                // Back to the default: what is narrower goes, but nothing can be cut out of what is wider.
                for (key, access) in exceptions {
                    if rule.key.covers(key) {
                        let rest = access.subtracting(rule.access)
                        exceptions[key] = rest.isEmpty ? nil : rest
                    } else if key.covers(rule.key), !access.isDisjoint(with: rule.access) {
                        throw CgroupError(
                            .invalidResource,
                            "the device rule \(line(rule.key, rule.access)) makes an exception from "
                                + "\(line(key, access)), which the device controller of cgroup v1 cannot")
                    }
                }
            }
        }
    }

    /// From `devices.list`. (While everything is allowed by default, the kernel does not show the exceptions.)
    init(list: String) throws(CgroupError) {
        for line in list.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.first == "a" {
                allowsByDefault = true
                return
            }
            let numbers = fields.count == 3 ? fields[1].split(separator: ":") : []
            guard numbers.count == 2, let kind = DeviceRule.Kind(rawValue: String(fields[0])) else {
                throw CgroupError(.kernel, "cannot understand the line \"\(line)\" of devices.list")
            }
            var access: DeviceRule.Access = []
            if fields[2].contains("r") { access.insert(.read) }
            if fields[2].contains("w") { access.insert(.write) }
            if fields[2].contains("m") { access.insert(.makeNode) }
            let key = DeviceRule.Key(kind: kind, major: UInt32(numbers[0]), minor: UInt32(numbers[1]))
            exceptions[key, default: []].formUnion(access)
        }
    }

    /// What to write to `devices.allow` (true) and `devices.deny`, in this order, to get here from `current`.
    func transition(from current: DeviceExceptions) -> [(allow: Bool, line: String)] {
        var steps: [(Bool, String)] = []
        var old = current.exceptions
        // Exceptions from "all allowed" are not shown, so the only way from there is to start again.
        if current.allowsByDefault || allowsByDefault {
            steps.append((allowsByDefault, "a"))
            old = [:]
        }
        func sorted(_ exceptions: [DeviceRule.Key: DeviceRule.Access]) -> [String] {
            exceptions.map { line($0.key, $0.value) }.sorted()
        }
        // First what becomes allowed, so that what stays allowed never stops working.
        var added = exceptions
        var removed = old
        for (key, access) in old { added[key]?.subtract(access) }
        for (key, access) in exceptions { removed[key]?.subtract(access) }
        added = added.filter { !$0.value.isEmpty }
        removed = removed.filter { !$0.value.isEmpty }
        for line in sorted(added) { steps.append((!allowsByDefault, line)) }
        for line in sorted(removed) { steps.append((allowsByDefault, line)) }
        return steps
    }
}

/// As the files have it: `c 1:3 rwm`, `b *:* m`.
private func line(_ key: DeviceRule.Key, _ access: DeviceRule.Access) -> String {
    let major = key.major.map { "\($0)" } ?? "*"
    let minor = key.minor.map { "\($0)" } ?? "*"
    return "\(key.kind?.rawValue ?? "a") \(major):\(minor) \(access.text)"
}
