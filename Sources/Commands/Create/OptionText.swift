import CommandLineKit
import EngineModel
import Glibc

/// The small grammars of `run`'s options. What does not fit is refused in the words of Docker's client.
enum OptionText {
    static func cut(_ text: some StringProtocol, _ separator: Character) -> (String, String)? {
        guard let at = text.firstIndex(of: separator) else { return nil }
        return (String(text[..<at]), String(text[text.index(after: at)...]))
    }

    /// `NAME=value`, or `NAME` for its value in this environment.
    static func environment(_ text: String) throws(FlagError) -> String {
        guard let name = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).first, !name.isEmpty
        else { throw .invalid("invalid environment variable: \(text)") }
        if text.contains("=") { return text }
        return getenv(text).map { "\(text)=\(String(cString: $0))" } ?? text
    }

    static func isAddress(_ text: String) -> Bool {
        var v4 = in_addr()
        var v6 = in6_addr()
        return inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1
    }

    static func isIPv6(_ text: String) -> Bool {
        var v6 = in6_addr()
        return inet_pton(AF_INET6, text, &v6) == 1
    }

    /// Checks `CONTAINER` or `CONTAINER:ALIAS`.
    static func link(_ text: String) throws(FlagError) -> String {
        if text.isEmpty { throw .invalid("empty string specified for links") }
        if text.count(where: { $0 == ":" }) > 1 { throw .invalid("bad format for links: \(text)") }
        return text
    }

    /// `name:address`, `name=address`, with `host-gateway` as an address too.
    static func extraHost(_ text: String) throws(FlagError) -> String {
        var (name, address): (String, String)
        if let parts = cut(text, "=") {
            (name, address) = parts
        } else if let parts = cut(text, ":") {
            (name, address) = parts
        } else {
            throw .invalid("bad format for add-host: \(goQuoted(text))")
        }
        guard !name.isEmpty else { throw .invalid("bad format for add-host: \(goQuoted(text))") }
        if address.hasPrefix("["), address.hasSuffix("]"), address.count > 2 {
            address = String(address.dropFirst().dropLast())
        }
        guard address == "host-gateway" || isAddress(address) else {
            throw .invalid("invalid IP address in add-host: \(goQuoted(address))")
        }
        return name + ":" + address
    }

    static func searchDomain(_ text: String) throws(FlagError) -> String {
        if text == "." { return text }
        let domain = text.hasSuffix(".") ? String(text.dropLast()) : text
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        let areGood = labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count < 64 && label.first != "-" && label.last != "-"
                && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        }
        guard areGood, domain.utf8.count < 255 else { throw .invalid("\(text) is not a valid domain") }
        return domain
    }

    /// The parameters that belong to a container's own namespaces.
    static func sysctl(_ text: String) throws(FlagError) -> String {
        let exact: Set<Substring> = [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced",
        ]
        let name = text.prefix { $0 != "=" }
        guard text.contains("="), exact.contains(name) || name.hasPrefix("net.") || name.hasPrefix("fs.mqueue.") else {
            throw .invalid("sysctl '\(text)' is not allowed")
        }
        return text
    }

    /// `c 1:3 mr`, as the kernel's device controller takes it.
    static func deviceCgroupRule(_ text: String) throws(FlagError) -> String {
        let fields = text.split(separator: " ", omittingEmptySubsequences: false)
        func isNumber(_ text: Substring) -> Bool { text == "*" || (!text.isEmpty && text.allSatisfy(\.isNumber)) }
        guard fields.count == 3, ["a", "b", "c"].contains(fields[0]), let (major, minor) = cut(fields[1], ":"),
            isNumber(major[...]), isNumber(minor[...]), (1...3).contains(fields[2].count),
            fields[2].allSatisfy({ "rwm".contains($0) })
        else { throw .invalid("invalid device cgroup format '\(text)'") }
        return text
    }

    /// A decimal number of CPUs in billionths.
    static func nanoCPUs(_ text: String) throws(FlagError) -> Int64 {
        let failure = FlagError.invalid("failed to parse \(text) as a rational number")
        var digits = Substring(text)
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
        let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.contains(where: { !$0.isEmpty }),
            parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } })
        else { throw failure }
        var fraction = parts.count > 1 ? String(parts[1]) : ""
        while fraction.count > 9, fraction.last == "0" { fraction.removeLast() }
        guard fraction.count <= 9 else { throw .invalid("value is too precise") }
        fraction += String(repeating: "0", count: 9 - fraction.count)
        guard let whole = Int64(parts[0].isEmpty ? "0" : parts[0]), whole < 9_000_000_000, let rest = Int64(fraction)
        else { throw failure }
        return (whole * 1_000_000_000 + rest) * (isNegative ? -1 : 1)
    }

    /// Capabilities by their full names, each once, sorted; `ALL` stays as it is.
    static func capabilities(_ texts: [String]) -> [String] {
        Set(
            texts.map { text in
                let name = text.trimmed.uppercased()
                return name == "ALL" || name.hasPrefix("CAP_") ? name : "CAP_" + name
            }
        ).sorted()
    }

    /// `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:3`.
    static func restartPolicy(_ text: String) throws(FlagError) -> RestartPolicy {
        if text.isEmpty { return RestartPolicy() }
        guard let (name, count) = cut(text, ":") else { return RestartPolicy(name: text) }
        guard !name.isEmpty else { throw .invalid("invalid restart policy format: no policy provided before colon") }
        if count.isEmpty { return RestartPolicy(name: name) }
        guard let number = Int(count) else {
            throw .invalid("invalid restart policy format: maximum retry count must be an integer")
        }
        return RestartPolicy(name: name, maximumRetryCount: number)
    }

    /// `name=value` pairs; a name alone has an empty value, and the last of a name wins.
    static func pairs(_ texts: [String]) -> [String: String] {
        var result: [String: String] = [:]
        for text in texts {
            if let (name, value) = cut(text, "=") { result[name] = value } else { result[text] = "" }
        }
        return result
    }

    /// The lines of an `--env-file` or `--label-file`.
    /// - Parameter inherits: whether a name alone takes its value from this environment, and is left out without one.
    static func file(_ path: String, inherits: Bool) throws(FlagError) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .invalid("open \(path): \(File.lastError().lowercased())") }
        defer { close(descriptor) }
        // Docker says so of files of labels, too.
        func invalid(_ reason: String) -> FlagError { .invalid("invalid env file (\(path)): \(reason)") }
        guard var bytes = File.read(descriptor) else { throw invalid("read \(path): \(File.lastError().lowercased())") }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        var result: [String] = []
        for (position, raw) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            guard let line = String(validating: raw, as: UTF8.self) else {
                throw invalid(
                    "invalid utf8 bytes at line \(position + 1): ["
                        + raw.map(String.init).joined(separator: " ") + "]")
            }
            var text = line[...]
            if text.hasSuffix("\r") || text.last == "\r\n" { text.removeLast() }
            while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
            if text.isEmpty || text.hasPrefix("#") { continue }
            if let (name, _) = cut(text, "=") {
                guard !name.isEmpty else { throw invalid("no variable name on line '\(text)'") }
                guard !name.contains(where: { $0 == " " || $0 == "\t" }) else {
                    throw invalid("variable '\(name)' contains whitespaces")
                }
                result.append(String(text))
            } else {
                var name = String(text)
                while let last = name.last, last == " " || last == "\t" { name.removeLast() }
                guard !name.contains(where: { $0 == " " || $0 == "\t" }) else {
                    throw invalid("variable '\(name)' contains whitespaces")
                }
                if !inherits {
                    result.append(name)
                } else if let value = getenv(name) {
                    result.append("\(name)=\(String(cString: value))")
                }
            }
        }
        return result
    }
}

/// `--ulimit nofile=1024:2048`.
struct UlimitOption {
    var name: String
    var soft: Int64
    var hard: Int64

    private static let names: Set<String> = [
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
        "rttime", "sigpending", "stack",
    ]

    init(_ text: String) throws(FlagError) {
        guard let (name, limits) = OptionText.cut(text, "=") else {
            throw .invalid("invalid ulimit argument: \(text)")
        }
        guard Self.names.contains(name) else { throw .invalid("invalid ulimit type: \(name)") }
        let parts = limits.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2 else {
            throw .invalid("too many limit value arguments - \(limits), can only have up to two, `soft[:hard]`")
        }
        var values: [Int64] = []
        for part in parts {
            guard let value = Int64(part) else {
                throw .invalid("strconv.ParseInt: parsing \(goQuoted(part)): invalid syntax")
            }
            values.append(value)
        }
        self.name = name
        soft = values[0]
        hard = values.count > 1 ? values[1] : values[0]
        if hard != -1 {
            if soft == -1 {
                throw .invalid(
                    "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: \(hard)")
            }
            if soft > hard {
                throw .invalid("ulimit soft limit must be less than or equal to hard limit: \(soft) > \(hard)")
            }
        }
    }
}

/// `/dev/sda:100`, `/dev/sda:1mb`.
struct DeviceRate {
    var path: String
    var rate: UInt64

    init(weight text: String) throws(FlagError) {
        let (path, value) = try Self.parts(text)
        guard let weight = UInt64(value) else { throw .invalid("invalid weight for device: \(text)") }
        guard weight == 0 || (10...1000).contains(weight) else { throw .invalid("invalid weight for device: \(text)") }
        (self.path, rate) = (path, weight)
    }

    init(bytesPerSecond text: String) throws(FlagError) {
        let (path, value) = try Self.parts(text)
        guard let rate = try? ByteSize.parseBinary(value) else {
            throw .invalid(
                "invalid rate for device: \(text). The correct format is <device-path>:<number>[<unit>]. "
                    + "Number must be a positive integer. Unit is optional and can be kb, mb, or gb")
        }
        (self.path, self.rate) = (path, UInt64(rate))
    }

    init(operationsPerSecond text: String) throws(FlagError) {
        let (path, value) = try Self.parts(text)
        guard let rate = UInt64(value) else {
            throw .invalid(
                "invalid rate for device: \(text). The correct format is <device-path>:<number>. "
                    + "Number must be a positive integer")
        }
        (self.path, self.rate) = (path, rate)
    }

    private static func parts(_ text: String) throws(FlagError) -> (String, String) {
        guard let (path, value) = OptionText.cut(text, ":"), !path.isEmpty else {
            throw .invalid("bad format: \(text)")
        }
        guard path.hasPrefix("/dev/") else { throw .invalid("bad format for device path: \(text)") }
        return (path, value)
    }
}

/// `--gpus all`, `--gpus 2`, `--gpus device=0,driver=nvidia,"capabilities=compute,utility"`.
struct GPURequest {
    var request = DeviceRequest()

    init(_ text: String) throws(FlagError) {
        guard let fields = CommaSeparated.fields(text) else { throw .invalid("parse error on \(text)") }
        var seen: Set<String> = []
        var capabilities: [String] = []
        for field in fields {
            let (key, value) = OptionText.cut(field, "=") ?? ("count", field)
            guard seen.insert(key).inserted else {
                throw .invalid("gpu request key '\(key)' can be specified only once")
            }
            switch key {
            case "driver": request.driver = value
            case "count":
                if value == "all" {
                    request.count = -1
                } else if let count = Int(value) {
                    request.count = count
                } else {
                    throw .invalid(
                        "invalid count (\(value)): value must be either \"all\" or an integer: invalid syntax")
                }
            case "device": request.deviceIDs = value.split(separator: ",").map(String.init)
            case "capabilities": capabilities = value.split(separator: ",").map(String.init)
            case "options":
                request.options = OptionText.pairs(CommaSeparated.fields(value) ?? [])
            default: throw .invalid("unexpected key '\(key)' in '\(field)'")
            }
        }
        if !seen.contains("count"), request.deviceIDs == nil { request.count = 1 }
        if request.options == nil { request.options = [:] }
        request.capabilities = [capabilities + (capabilities.contains("gpu") ? [] : ["gpu"])]
    }
}
