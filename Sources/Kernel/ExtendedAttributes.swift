import CKernel
import Glibc

/// How `setExtendedAttribute` treats an attribute that is (not) there.
public enum ExtendedAttributeMode: Int32, Sendable {
    case createOrReplace = 0
    case create = 1
    case replace = 2
}

/// Extended attributes of paths; links are not followed.
public enum ExtendedAttributes {
    /// - Returns: `nil` when the file has no such attribute, or its file system has none at all.
    public static func get(_ name: String, of path: some PathName) throws(KernelError) -> [UInt8]? {
        try value("read attribute \(name) of", path.displayName) { buffer, size in
            path.withPath { $0.map { ck_lgetxattr($0, name, buffer, size) } ?? -Int(EINVAL) }
        }
    }

    public static func set(
        _ name: String, _ value: [UInt8], of path: some PathName, mode: ExtendedAttributeMode = .createOrReplace
    ) throws(KernelError) {
        try call("set attribute \(name) of", path: path) { ck_lsetxattr($0, name, value, value.count, mode.rawValue) }
    }

    /// The names of a file's attributes; empty where the file system has none.
    public static func list(of path: some PathName) throws(KernelError) -> [String] {
        try names(path.displayName) { buffer, size in
            path.withPath { $0.map { ck_llistxattr($0, buffer, size) } ?? -Int(EINVAL) }
        }
    }

    public static func remove(_ name: String, of path: some PathName) throws(KernelError) {
        try call("remove attribute \(name) of", path: path) { ck_lremovexattr($0, name) }
    }
}

// Extended attributes of an open file (not `O_PATH`).
extension FileDescriptor {
    public func extendedAttribute(_ name: String) throws(KernelError) -> [UInt8]? {
        try value("read attribute \(name) of", description) { ck_fgetxattr(rawValue, name, $0, $1) }
    }

    public func setExtendedAttribute(
        _ name: String, _ value: [UInt8], mode: ExtendedAttributeMode = .createOrReplace
    ) throws(KernelError) {
        try call("set attribute \(name) of", description) {
            ck_fsetxattr(rawValue, name, value, value.count, mode.rawValue)
        }
    }

    public func extendedAttributeNames() throws(KernelError) -> [String] {
        try names(description) { ck_flistxattr(rawValue, $0, $1) }
    }

    public func removeExtendedAttribute(_ name: String) throws(KernelError) {
        try call("remove attribute \(name) of", description) { ck_fremovexattr(rawValue, name) }
    }
}

private func value(
    _ operation: @autoclosure () -> String, _ subject: @autoclosure () -> String,
    _ read: (UnsafeMutableRawPointer?, Int) -> Int
) throws(KernelError) -> [UInt8]? {
    // Most are small (a capability is 20 bytes); the kernel's limit is 64 KiB.
    for capacity in [256, 64 << 10] {
        do throws(KernelError) {
            return try bytes(capacity: capacity) { buffer throws(KernelError) in
                try call(operation(), subject()) { read(buffer.baseAddress, buffer.count) }
            }
        } catch {
            if error.code == .noData || error.code == .notSupported { return nil }
            if error.code != .outOfRange || capacity > 256 { throw error }
        }
    }
    return nil
}

private func names(
    _ subject: @autoclosure () -> String, _ read: (UnsafeMutableRawPointer?, Int) -> Int
) throws(KernelError) -> [String] {
    for capacity in [1024, 64 << 10] {
        do throws(KernelError) {
            let list = try bytes(capacity: capacity) { buffer throws(KernelError) in
                try call("list the attributes of", subject()) { read(buffer.baseAddress, buffer.count) }
            }
            return list.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            if error.code == .notSupported { return [] }
            if error.code != .outOfRange || capacity > 1024 { throw error }
        }
    }
    return []
}
