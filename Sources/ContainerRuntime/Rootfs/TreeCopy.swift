import Kernel

/// Copies what a directory of an image holds into the fresh tmpfs that covers it (`tmpcopyup`).
enum TreeCopy {
    static func copyContents(of source: FileDescriptor, to target: FileDescriptor, depth: Int = 0) throws(KernelError) {
        guard depth < 256 else { throw KernelError(.nameTooLong, "copy the directory", source.description) }
        let from = try source.open(".", [.readOnly, .directory])
        let to = try target.open(".", [.readOnly, .directory])
        for entry in try from.entries() {
            let status = try from.status(of: entry.bytes)
            switch status.type {
            case .directory:
                try to.makeDirectory(entry.bytes, mode: 0o700)
                let below = try to.open(entry.bytes, [.readOnly, .directory, .noFollow])
                try copyContents(
                    of: try from.open(entry.bytes, [.path, .directory, .noFollow]), to: below, depth: depth + 1)
                try below.changeOwner(userID: status.userID, groupID: status.groupID)
                try below.changeMode(status.permissions)
                try below.setTimes(accessed: status.accessed, modified: status.modified)
            case .regular:
                let file = try from.open(entry.bytes, [.readOnly, .noFollow, .nonBlocking])
                let copy = try to.open(entry.bytes, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o600)
                try copy.copyContents(of: file)
                try copyAttributes(from: file, to: copy)
                try copy.changeOwner(userID: status.userID, groupID: status.groupID)
                try copy.changeMode(status.permissions)
                try copy.setTimes(accessed: status.accessed, modified: status.modified)
            case .symbolicLink:
                try to.makeSymbolicLink(entry.bytes, to: try from.readLink(entry.bytes))
                try to.changeOwner(of: entry.bytes, userID: status.userID, groupID: status.groupID)
            default:
                try to.makeNode(
                    entry.bytes, type: status.type, mode: status.permissions, device: status.specialDevice)
                try to.changeOwner(of: entry.bytes, userID: status.userID, groupID: status.groupID)
            }
        }
    }

    private static func copyAttributes(from source: FileDescriptor, to target: FileDescriptor) throws(KernelError) {
        for name in (try? source.extendedAttributeNames()) ?? [] {
            guard let value = try? source.extendedAttribute(name) else { continue }
            // A tmpfs does not have every attribute that a disk has.
            try? target.setExtendedAttribute(name, value)
        }
    }
}
