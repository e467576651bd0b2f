import CommandLineKit
import EngineModel

/// `--mount type=bind,source=/a,target=/b,readonly`.
struct MountOption {
    var mount = Mount()

    init(_ text: String) throws(FlagError) {
        guard let fields = CommaSeparated.fields(text), !fields.isEmpty else {
            throw .invalid("parse error in '\(text)'")
        }
        mount.type = "volume"
        for field in fields { try add(field) }
        try validate()
    }

    private mutating func add(_ field: String) throws(FlagError) {
        guard let (name, value) = OptionText.cut(field, "=") else {
            switch field.lowercased() {
            case "readonly", "ro": mount.readOnly = true
            case "volume-nocopy": volume { $0.noCopy = true }
            case "bind-nonrecursive": bind { $0.nonRecursive = true }
            default: throw .invalid("invalid field '\(field)' must be a key=value pair")
            }
            return
        }
        let key = name.lowercased()
        switch key {
        case "type": mount.type = value.lowercased()
        case "source", "src": mount.source = value == "." || value.hasPrefix("./") ? File.absolute(value) : value
        case "target", "dst", "destination": mount.target = value
        case "readonly", "ro": mount.readOnly = try truth(key, value)
        case "consistency": mount.consistency = value.lowercased()
        case "bind-propagation": bind { $0.propagation = value.lowercased() }
        case "bind-nonrecursive":
            let truth = try truth(key, value)
            bind { $0.nonRecursive = truth }
        case "bind-recursive":
            switch value {
            case "enabled": break
            case "disabled": bind { $0.nonRecursive = true }
            case "writable": bind { $0.readOnlyNonRecursive = true }
            case "readonly": bind { $0.readOnlyForceRecursive = true }
            default:
                throw .invalid(
                    "invalid value for \(key): \(value) "
                        + "(must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")")
            }
        case "volume-subpath": volume { $0.subpath = value }
        case "volume-nocopy":
            guard let truth = try? truth(key, value) else {
                throw .invalid("invalid value for volume-nocopy: \(value)")
            }
            volume { $0.noCopy = truth }
        case "volume-label":
            volume { $0.labels = ($0.labels ?? [:]).merging(OptionText.pairs([value])) { $1 } }
        case "volume-driver":
            volume { options in
                var driver = options.driverConfig ?? Mount.Driver()
                driver.name = value
                options.driverConfig = driver
            }
        case "volume-opt":
            volume { options in
                var driver = options.driverConfig ?? Mount.Driver()
                driver.options = (driver.options ?? [:]).merging(OptionText.pairs([value])) { $1 }
                options.driverConfig = driver
            }
        case "image-subpath":
            var options = mount.imageOptions ?? Mount.ImageOptions()
            options.subpath = value
            mount.imageOptions = options
        case "tmpfs-size":
            guard let size = try? ByteSize.parseBinary(value) else {
                throw .invalid("invalid value for \(key): \(value)")
            }
            tmpfs { $0.sizeBytes = size }
        case "tmpfs-mode":
            guard let mode = UInt32(value, radix: 8) else { throw .invalid("invalid value for \(key): \(value)") }
            tmpfs { $0.mode = mode }
        default: throw .invalid("unexpected key '\(key)' in '\(field)'")
        }
    }

    private func validate() throws(FlagError) {
        if mount.type.isEmpty { throw .invalid("type is required") }
        if mount.target.isEmpty { throw .invalid("target is required") }
        for (isGiven, kind) in [
            (mount.volumeOptions != nil, "volume"), (mount.imageOptions != nil, "image"),
            (mount.bindOptions != nil, "bind"), (mount.tmpfsOptions != nil, "tmpfs"),
        ] where isGiven && mount.type != kind {
            throw .invalid("cannot mix '\(kind)-*' options with mount type '\(mount.type)'")
        }
        guard let bind = mount.bindOptions else { return }
        if bind.readOnlyNonRecursive, !mount.readOnly {
            throw .invalid("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
        }
        if bind.readOnlyForceRecursive {
            guard mount.readOnly else {
                throw .invalid("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
            }
            guard bind.propagation == "rprivate" else {
                throw .invalid(
                    "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
                )
            }
        }
    }

    private func truth(_ key: String, _ value: String) throws(FlagError) -> Bool {
        switch value {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw .invalid("invalid value for \(key): \(value)")
        }
    }

    private mutating func bind(_ change: (inout Mount.BindOptions) -> Void) {
        var options = mount.bindOptions ?? Mount.BindOptions()
        change(&options)
        mount.bindOptions = options
    }

    private mutating func volume(_ change: (inout Mount.VolumeOptions) -> Void) {
        var options = mount.volumeOptions ?? Mount.VolumeOptions()
        change(&options)
        mount.volumeOptions = options
    }

    private mutating func tmpfs(_ change: (inout Mount.TmpfsOptions) -> Void) {
        var options = mount.tmpfsOptions ?? Mount.TmpfsOptions()
        change(&options)
        mount.tmpfsOptions = options
    }
}

/// `-v source:target:options`, or `-v target` for an anonymous volume.
struct VolumeOption {
    /// What goes into the request's binds; `nil` for an anonymous volume.
    var bind: String?
    var target = ""

    init(_ text: String) throws(FlagError) {
        guard !text.isEmpty else { throw .invalid("invalid empty volume spec") }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if text.utf8.count > 2 {
            if parts.contains("") { throw .invalid("invalid spec: \(text): empty section between colons") }
        }
        guard parts.count > 1, text.utf8.count > 2 else {
            target = text
            return
        }
        target = parts[1]
        // A relative path is one of the client's directory; anything else is for the daemon to understand.
        if parts[0].hasPrefix(".") {
            bind = ([File.absolute(parts[0])] + parts.dropFirst()).joined(separator: ":")
        } else {
            bind = text
        }
    }
}

/// `--device /dev/a:/dev/b:rw`, or a device by its CDI name.
struct DeviceOption {
    static func isCDIName(_ text: String) -> Bool {
        guard !text.hasPrefix("/"), let (kind, name) = OptionText.cut(text, "="),
            let (vendor, type) = OptionText.cut(kind, "/")
        else { return false }
        return !name.isEmpty && !vendor.isEmpty && !type.isEmpty && !type.contains("/")
    }

    static func mapping(_ text: String) throws(FlagError) -> DeviceMapping {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func isMode(_ text: String) -> Bool {
            !text.isEmpty && Set(text).count == text.count && text.allSatisfy { "rwm".contains($0) }
        }
        guard parts.count <= 3 else { throw .invalid("bad format for path: \(text)") }
        guard !parts[0].isEmpty else { throw .invalid("bad format for path: \(text)") }
        var target = ""
        var permissions = "rwm"
        if parts.count > 1 {
            if isMode(parts[1]) { permissions = parts[1] } else { target = parts[1] }
        }
        if parts.count > 2 {
            guard isMode(parts[2]) else { throw .invalid("bad mode specified: \(parts[2])") }
            permissions = parts[2]
        }
        if target.isEmpty { target = parts[0] }
        guard target.hasPrefix("/") else { throw .invalid("\(target) is not an absolute path") }
        return DeviceMapping(pathOnHost: parts[0], pathInContainer: target, cgroupPermissions: permissions)
    }
}
