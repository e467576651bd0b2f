import Engine
import Fuzzing

// A line with the user that is asked for, then passwd, a zero byte, and group.
fuzz { bytes in
    var input = Input(bytes)
    let user = input.line()
    let parts = input.rest.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let database = UserDatabase(
        passwd: String(decoding: parts.first ?? [], as: UTF8.self),
        group: String(decoding: parts.count > 1 ? parts[1] : [], as: UTF8.self))
    _ = try? database.resolve(user)
    _ = try? database.resolve("root", additionalGroups: [user])
}
