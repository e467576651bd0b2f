import Kernel

/// Who a container's process runs as.
package struct ProcessUser: Sendable, Equatable {
    package var userID: UInt32 = 0
    package var groupID: UInt32 = 0
    /// Of further groups, sorted as they were found.
    package var additionalGroupIDs: [UInt32] = []
    /// The home directory; empty when the user is not listed.
    package var home = ""

    package init(
        userID: UInt32 = 0, groupID: UInt32 = 0, additionalGroupIDs: [UInt32] = [], home: String = ""
    ) {
        self.userID = userID
        self.groupID = groupID
        self.additionalGroupIDs = additionalGroupIDs
        self.home = home
    }
}

/// Finds users and groups in an image's `/etc/passwd` and `/etc/group` (passwd(5), group(5)).
package struct UserDatabase: Sendable {
    private struct User {
        var name: String
        var userID: UInt32
        var groupID: UInt32
        var home: String
    }

    private struct Group {
        var name: String
        var groupID: UInt32
        var users: [String]
    }

    private let users: [User]
    private let groups: [Group]

    /// - Parameters: the files' text; lines that break the format are passed over, as the C library does.
    package init(passwd: String, group: String) {
        users = Self.lines(passwd).compactMap { fields in
            guard fields.count >= 4, let user = UInt32(fields[2]), let group = UInt32(fields[3]) else { return nil }
            return User(name: fields[0], userID: user, groupID: group, home: fields.count > 5 ? fields[5] : "")
        }
        groups = Self.lines(group).compactMap { fields in
            guard fields.count >= 3, let group = UInt32(fields[2]) else { return nil }
            let users = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
            return Group(name: fields[0], groupID: group, users: users)
        }
    }

    private static func lines(_ text: String) -> [[String]] {
        text.splitBytes("\n").compactMap { line in
            let line = HostFiles.trim(line)
            if line.isEmpty || line.hasPrefix("#") { return nil }
            return line.splitBytes(":", omittingEmpty: false).map(String.init)
        }
    }

    /// Finds `user`, `uid`, `user:group` or any mixture of names and numbers, and further groups.
    ///
    /// A number need not be listed; a name must. Names win over numbers. Without a group in `text` the user's own
    /// group and all groups that list the user count; with one only that group.
    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    package func resolve(_ text: String, additionalGroups: [String] = []) throws(EngineError) -> ProcessUser {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let userText = parts.first ?? ""
        let groupText = parts.count == 2 ? parts[1] : ""
        var result = ProcessUser()
        var entry: User?
        if userText.isEmpty {
            entry = users.first { $0.userID == 0 }
        } else {
            entry =
                users.first { $0.name == userText }
                ?? Self.number(userText).flatMap { number in
                    users.first { $0.userID == number }
                }
            if entry == nil {
                guard let number = Self.number(userText) else {
                    throw .invalid("unable to find user \(userText): no matching entries in passwd file")
                }
                result.userID = number
            }
        }
        if let entry {
            result.userID = entry.userID
            result.groupID = entry.groupID
            result.home = entry.home
        }
        if !groupText.isEmpty {
            result.groupID = try groupID(groupText)
            result.additionalGroupIDs = [result.groupID]
        } else {
            result.additionalGroupIDs = [result.groupID]
            if let name = entry?.name ?? (userText.isEmpty ? "root" : nil) {
                for group in groups where group.users.contains(name) {
                    if !result.additionalGroupIDs.contains(group.groupID) {
                        result.additionalGroupIDs.append(group.groupID)
                    }
                }
            }
        }
        for group in additionalGroups {
            let id = try groupID(group)
            if !result.additionalGroupIDs.contains(id) { result.additionalGroupIDs.append(id) }
        }
        return result
    }

    private func groupID(_ text: String) throws(EngineError) -> UInt32 {
        if let group = groups.first(where: { $0.name == text }) { return group.groupID }
        guard let number = Self.number(text) else {
            throw .invalid("unable to find group \(text): no matching entries in group file")
        }
        return number
    }

    private static func number(_ text: String) -> UInt32? {
        // 2^32 - 1 is the kernel's "no change".
        guard let number = UInt32(text), number < UInt32.max else { return nil }
        return number
    }
}
