import JSON
import Kernel
import OCI

// `--change` of `import` and `commit`: the instructions of a Dockerfile that only change the configuration.
extension ImageRunConfig {
    /// Applies one instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME
    /// or WORKDIR.
    /// - Throws: `StorageError.invalidInput` when it is none of these, or is written wrongly.
    public mutating func apply(change: String) throws(StorageError) {
        let line = change.trimmed
        let name = line.prefix { !$0.isWhitespace }
        let rest = line.dropFirst(name.count).trimmed
        func fail(_ reason: String) -> StorageError {
            StorageError(.invalidInput, "cannot apply the change \"\(change.prefix(200))\": \(reason)")
        }
        guard !rest.isEmpty || ["CMD", "ENTRYPOINT"].contains(name.uppercased()) else {
            throw fail("\(name.uppercased()) requires at least one argument")
        }
        switch name.uppercased() {
        case "CMD":
            cmd = Self.command(rest)
        case "ENTRYPOINT":
            entrypoint = Self.command(rest)
        case "ENV":
            for (key, value) in try Self.pairs(rest, fail) {
                var list = (env ?? []).filter { !$0.hasPrefix("\(key)=") }
                list.append("\(key)=\(value)")
                env = list
            }
        case "LABEL":
            labels = labels ?? [:]
            for (key, value) in try Self.pairs(rest, fail) { labels?[key] = value }
        case "EXPOSE":
            exposedPorts = exposedPorts ?? [:]
            var count = 0
            for word in rest.split(whereSeparator: \.isWhitespace) {
                let ports = try Self.ports(word, fail)
                count += ports.count
                // As many as there are, in three protocols.
                guard count <= 3 * 65_536 else { throw fail("EXPOSE names more ports than there are") }
                for port in ports { exposedPorts?[port] = [:] }
            }
        case "VOLUME":
            let paths = Self.jsonList(rest) ?? rest.split(whereSeparator: \.isWhitespace).map(String.init)
            volumes = volumes ?? [:]
            for path in paths {
                guard !path.isEmpty else { throw fail("VOLUME specified can not be an empty string") }
                volumes?[path] = [:]
            }
        case "USER":
            user = rest
        case "WORKDIR":
            let base = rest.hasPrefix("/") ? "" : workingDir ?? ""
            workingDir = Self.cleaned("\(base)/\(rest)")
        case "STOPSIGNAL":
            stopSignal = rest
        case "ONBUILD":
            let trigger = rest.prefix { !$0.isWhitespace }.uppercased()
            guard !["ONBUILD", "FROM", "MAINTAINER"].contains(trigger) else {
                throw fail("\(trigger) isn't allowed as an ONBUILD trigger")
            }
            onBuild = (onBuild ?? []) + [rest]
        case "HEALTHCHECK":
            healthcheck = try Self.healthcheck(rest, fail)
        default:
            throw fail("\(name) is not a valid change command")
        }
    }

    /// An exec form (a JSON list), or a line for the shell.
    private static func command(_ text: String) -> [String] {
        if let list = jsonList(text) { return list }
        return text.isEmpty ? [] : ["/bin/sh", "-c", text]
    }

    private static func jsonList(_ text: String) -> [String]? {
        guard text.hasPrefix("["), let value = try? JSONValue(parsing: text) else { return nil }
        return try? [String](json: value)
    }

    /// `key=value key="quoted value"`, or the older `key all the rest`.
    private static func pairs(
        _ text: String, _ fail: (String) -> StorageError
    ) throws(StorageError) -> [(String, String)] {
        let words = try words(text, fail)
        guard let first = words.first else { throw fail("a name is needed") }
        if !first.contains("=") {
            let key = text.prefix { !$0.isWhitespace }
            let value = text.dropFirst(key.count).trimmed
            guard !value.isEmpty else { throw fail("expected name=value") }
            return [(String(key), value)]
        }
        var pairs: [(String, String)] = []
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw fail("\"\(word)\" is not name=value")
            }
            pairs.append((String(word[..<equals]), String(word[word.index(after: equals)...])))
        }
        return pairs
    }

    /// Words, split at white space outside quotes; quotes and backslashes are taken away.
    private static func words(
        _ text: String, _ fail: (String) -> StorageError
    ) throws(StorageError) -> [String] {
        var words: [String] = []
        var word = ""
        var isInWord = false
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
                isInWord = true
            } else if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                isInWord = true
            } else if character.isWhitespace {
                if isInWord { words.append(word) }
                (word, isInWord) = ("", false)
            } else {
                word.append(character)
                isInWord = true
            }
        }
        guard quote == nil else { throw fail("a quotation mark is not closed") }
        if isInWord { words.append(word) }
        return words
    }

    /// `80`, `80/udp` or `8000-8010/tcp`, as `80/tcp` and the like.
    private static func ports(
        _ word: Substring, _ fail: (String) -> StorageError
    ) throws(StorageError) -> [String] {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false)
        let transport = parts.count > 1 ? parts[1].lowercased() : "tcp"
        let range = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard parts.count <= 2, ["tcp", "udp", "sctp"].contains(transport), (1...2).contains(range.count),
            let first = range.first ?? nil, let last = range.last ?? nil, first <= last
        else { throw fail("invalid containerPort: \(word)") }
        return (first...last).map { "\($0)/\(transport)" }
    }

    private static func healthcheck(
        _ text: String, _ fail: (String) -> StorageError
    ) throws(StorageError) -> Healthcheck {
        var check = Healthcheck()
        var rest = text
        while rest.hasPrefix("--") {
            let option = rest.prefix { !$0.isWhitespace }
            rest = rest.dropFirst(option.count).trimmed
            let parts = option.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw fail("\(option) needs a value") }
            if parts[0] == "retries" {
                guard let count = Int(parts[1]), count >= 0 else { throw fail("--retries must be a whole number") }
                check.retries = count
                continue
            }
            guard let duration = Self.duration(parts[1]) else { throw fail("invalid duration \"\(parts[1])\"") }
            switch parts[0] {
            case "interval": check.interval = duration
            case "timeout": check.timeout = duration
            case "start-period": check.startPeriod = duration
            case "start-interval": check.startInterval = duration
            default: throw fail("unknown flag --\(parts[0])")
            }
        }
        let kind = rest.prefix { !$0.isWhitespace }
        let argument = rest.dropFirst(kind.count).trimmed
        switch kind.uppercased() {
        case "NONE": check.test = ["NONE"]
        case "CMD" where !argument.isEmpty:
            check.test = jsonList(argument).map { ["CMD"] + $0 } ?? ["CMD-SHELL", argument]
        default: throw fail("HEALTHCHECK needs NONE, or CMD and a command")
        }
        return check
    }

    /// A duration as Go writes it (`1m30s`), in nanoseconds.
    private static func duration(_ text: String) -> Int64? {
        let units: [String: Double] = [
            "ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
        ]
        var rest = text[...]
        var total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !$0.isNumber && $0 != "." }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let factor = units[String(unit)] else { return nil }
            total += value * factor
        }
        return Int64(exactly: total.rounded())
    }

    private static func cleaned(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.splitBytes("/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}
