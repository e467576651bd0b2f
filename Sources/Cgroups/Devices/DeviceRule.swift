import OCI

/// A rule about device files, as the spec has them, checked.
struct DeviceRule: Hashable, Sendable {
    /// What it is about.
    struct Key: Hashable, Sendable {
        /// `nil`: both.
        var kind: Kind?
        /// `nil`: all.
        var major: UInt32?
        var minor: UInt32?

        static let everything = Key()

        /// Whether this covers all that `other` covers.
        func covers(_ other: Key) -> Bool {
            (kind == nil || kind == other.kind) && (major == nil || major == other.major)
                && (minor == nil || minor == other.minor)
        }
    }

    enum Kind: String, Sendable {
        case block = "b"
        case character = "c"
    }

    /// `BPF_DEVCG_ACC_*`: the same bits in the kernel's own order.
    struct Access: OptionSet, Hashable, Sendable {
        let rawValue: UInt8
        static let makeNode = Access(rawValue: 1)
        static let read = Access(rawValue: 2)
        static let write = Access(rawValue: 4)
        static let all: Access = [.makeNode, .read, .write]

        var text: String {
            (contains(.read) ? "r" : "") + (contains(.write) ? "w" : "") + (contains(.makeNode) ? "m" : "")
        }
    }

    var allow: Bool
    var key: Key
    var access: Access

    /// - Throws: for a type, a number or an access that does not exist.
    init(_ rule: LinuxDeviceCgroup) throws(CgroupError) {
        allow = rule.allow
        key = Key()
        switch rule.type ?? "a" {
        case "", "a": key.kind = nil
        // `u` is an unbuffered character device.
        case "c", "u": key.kind = .character
        case "b": key.kind = .block
        case let other:
            throw CgroupError(
                .invalidResource, "a device rule is of type \"\(other)\"; the device controller knows a, b and c")
        }
        func number(_ number: Int64?, _ name: String) throws(CgroupError) -> UInt32? {
            guard let number, number != -1 else { return nil }
            guard let valid = UInt32(exactly: number) else {
                throw CgroupError(.invalidResource, "a device rule has the \(name) number \(number)")
            }
            return valid
        }
        key.major = try number(rule.major, "major")
        key.minor = try number(rule.minor, "minor")
        access = []
        for letter in rule.access ?? "" {
            switch letter {
            case "r": access.insert(.read)
            case "w": access.insert(.write)
            case "m": access.insert(.makeNode)
            default:
                throw CgroupError(
                    .invalidResource, "a device rule has the access \"\(rule.access ?? "")\"; it may hold r, w and m")
            }
        }
        if access.isEmpty { access = .all }
        // A rule about both kinds is about everything: v1 has no finer one, and numbers mean nothing without a kind.
        if key.kind == nil {
            key = .everything
            access = .all
        }
    }

    init(allow: Bool, key: Key, access: Access) {
        self.allow = allow
        self.key = key
        self.access = access
    }

    static func parse(_ rules: [LinuxDeviceCgroup]) throws(CgroupError) -> [DeviceRule] {
        var result: [DeviceRule] = []
        for rule in rules { result.append(try DeviceRule(rule)) }
        return result
    }
}
