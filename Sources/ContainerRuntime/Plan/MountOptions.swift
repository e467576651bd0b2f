import Kernel

/// A change of a mount's attributes.
public struct AttributeChange: Sendable, Equatable {
    public var set: MountAttributes = []
    public var clear: MountAttributes = []

    public var isEmpty: Bool { self.set.isEmpty && clear.isEmpty }

    mutating func apply(_ change: MountOptions.Change) {
        switch change {
        case .set(let attribute):
            set.insert(attribute)
            clear.remove(attribute)
        case .clear(let attribute):
            clear.insert(attribute)
            set.remove(attribute)
        case .accessTime(let mode):
            // The three modes are values of one field.
            set = set.subtracting(.accessTimeMask).union(mode)
            clear.insert(.accessTimeMask)
        }
    }
}

/// The options of a mount, taken apart (runtime-spec, config-linux.md and the table of mount options in config.md).
public struct MountOptions: Sendable, Equatable {
    public var attributes = AttributeChange()
    /// What the options with an `r` before them (`rro`) say for the whole tree below.
    public var recursiveAttributes = AttributeChange()
    public var isBind = false
    public var isRecursive = false
    public var isRemount = false
    /// Propagation changes in order, with `.recursive` where the whole tree is meant.
    public var propagation: [MountFlags] = []
    /// Options of the superblock that every file system knows: `sync`, `dirsync`, `lazytime`, `mand`.
    public var superblockFlags: [String] = []
    /// What remains: the file system's own options.
    public var data: [String] = []
    /// Whether what the directory held before is copied into the new tmpfs.
    public var copiesUp = false
    public var isIDMapped = false
    public var isIDMappedRecursively = false

    enum Change {
        case set(MountAttributes)
        case clear(MountAttributes)
        case accessTime(MountAttributes)
    }

    public init(_ options: [String] = []) {
        for option in options { add(option) }
    }

    private mutating func add(_ option: String) {
        if let change = Self.attribute(option) {
            attributes.apply(change)
        } else if option.hasPrefix("r"), let change = Self.attribute(String(option.dropFirst())) {
            recursiveAttributes.apply(change)
        } else if let flags = Self.propagation(option) {
            propagation.append(flags)
        } else {
            addOther(option)
        }
    }

    private mutating func addOther(_ option: String) {
        switch option {
        case "bind": isBind = true
        case "rbind":
            isBind = true
            isRecursive = true
        case "remount": isRemount = true
        case "sync", "dirsync", "lazytime", "mand": superblockFlags.append(option)
        case "async", "nolazytime", "nomand", "defaults", "silent", "loud", "iversion", "noiversion", "acl", "noacl",
            "rdefaults":
            // The kernel's defaults, and flags that it ignores or that only some file systems act on.
            break
        case "idmap":
            isIDMapped = true
        case "ridmap":
            isIDMapped = true
            isIDMappedRecursively = true
        case "tmpcopyup": copiesUp = true
        case "": break
        default: data.append(option)
        }
    }

    private static func attribute(_ option: String) -> Change? {
        switch option {
        case "ro": .set(.readOnly)
        case "rw": .clear(.readOnly)
        case "nosuid": .set(.noSetUserID)
        case "suid": .clear(.noSetUserID)
        case "nodev": .set(.noDevices)
        case "dev": .clear(.noDevices)
        case "noexec": .set(.noExecute)
        case "exec": .clear(.noExecute)
        case "nodiratime": .set(.noDirectoryAccessTime)
        case "diratime": .clear(.noDirectoryAccessTime)
        case "nosymfollow": .set(.noSymlinkFollow)
        case "symfollow": .clear(.noSymlinkFollow)
        case "noatime": .accessTime(.noAccessTime)
        case "strictatime": .accessTime(.strictAccessTime)
        case "relatime", "atime", "nostrictatime": .accessTime(.relativeAccessTime)
        case "norelatime": .accessTime(.strictAccessTime)
        default: nil
        }
    }

    static func propagation(_ option: String) -> MountFlags? {
        switch option {
        case "shared": .shared
        case "rshared": [.shared, .recursive]
        case "slave": .slave
        case "rslave": [.slave, .recursive]
        case "private": .private
        case "rprivate": [.private, .recursive]
        case "unbindable": .unbindable
        case "runbindable": [.unbindable, .recursive]
        default: nil
        }
    }

    /// Every option with a meaning of its own, for `features`.
    public static let known: [String] = {
        let attributes = [
            "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "nodiratime", "diratime", "nosymfollow",
            "symfollow", "noatime", "atime", "strictatime", "nostrictatime", "relatime", "norelatime",
        ]
        let others = [
            "acl", "async", "bind", "defaults", "dirsync", "idmap", "iversion", "lazytime", "loud", "mand", "noacl",
            "noiversion", "nolazytime", "nomand", "private", "rbind", "remount", "ridmap", "rprivate", "rshared",
            "rslave", "runbindable", "shared", "silent", "slave", "sync", "tmpcopyup", "unbindable",
        ]
        return (attributes + attributes.map { "r" + $0 } + others).sorted()
    }()
}
