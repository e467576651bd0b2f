import Glibc
import Kernel
import NixLocalStore

/// Whom a builder runs as outside of its sandbox: an identity that no other build has at the same time.
struct BuildUser {
    let userID: UInt32
    let groupID: UInt32
    /// Whether it is another than this process's, so that files must be given to it.
    let isOther: Bool
    /// Held for as long as the identity is used.
    private let lock: FileDescriptor?

    /// Identifiers that nobody has, as Nix's `auto-allocate-uids` takes them.
    private static let firstFree: UInt32 = 872_415_232
    private static let freeCount: UInt32 = 1024

    /// Without root, the user itself. With root, a member of `group` that is free, or an identifier of nobody's, if
    /// this process's user namespace has such.
    init(group: String, in layout: StoreLayout) throws {
        guard Credentials.effectiveUserID == 0, try Self.hasIdentifiers() else {
            (userID, groupID, lock) = (Credentials.effectiveUserID, Credentials.effectiveGroupID, nil)
            isOther = false
            return
        }
        let pool = layout.state + "/userpool"
        try FileDescriptor.currentDirectory.makeDirectories(pool)
        var candidates = Self.members(of: group).map { (user: $0.user, group: $0.group) }
        if candidates.isEmpty {
            candidates = (0..<Self.freeCount).map { (Self.firstFree + $0, Self.firstFree + $0) }
        }
        for candidate in candidates {
            let file = try FileDescriptor.open("\(pool)/\(candidate.user)", [.readWrite, .create], mode: 0o600)
            if try file.lock(.exclusive, wait: false) {
                (userID, groupID, lock) = (candidate.user, candidate.group, file)
                isOther = true
                return
            }
        }
        throw BuildError(
            .cannotBuild,
            "all build users are currently in use; consider creating additional users and adding them to "
                + "the '\(group)' group")
    }

    /// Whether this process may become any user: in a namespace of somebody's own it may not.
    private static func hasIdentifiers() throws -> Bool {
        try FileDescriptor.currentDirectory.readText("/proc/self/uid_map").split(separator: "\n").contains { line in
            let numbers = line.split(separator: " ").compactMap { UInt64($0) }
            return numbers.count == 3 && numbers[0] <= 0 && numbers[0] + numbers[2] > UInt64(firstFree + freeCount)
        }
    }

    private static func members(of name: String) -> [(user: UInt32, group: UInt32)] {
        guard !name.isEmpty else { return [] }
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return [] }
        var members: [(UInt32, UInt32)] = []
        var at = entry.gr_mem
        while let member = at?.pointee {
            var user = passwd()
            var foundUser: UnsafeMutablePointer<passwd>?
            var text = [CChar](repeating: 0, count: 1 << 16)
            if getpwnam_r(member, &user, &text, text.count, &foundUser) == 0, foundUser != nil {
                members.append((user.pw_uid, entry.gr_gid))
            }
            at = at?.advanced(by: 1)
        }
        return members
    }
}
