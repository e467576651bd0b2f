import Glibc
import Kernel

/// Runs a program of the host for its output.
enum Subprocess {
    /// Blocks until the program ends.
    /// - Parameter arguments: the program's name, looked for in `PATH`, and its arguments.
    /// - Throws: `EngineError.invalidParameter` with what it said when it failed.
    static func output(_ arguments: [String]) throws -> String {
        let pipe = try Pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipe.writeEnd.rawValue, 1)
        posix_spawn_file_actions_adddup2(&actions, pipe.writeEnd.rawValue, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        sigfillset(&defaults)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        let environment = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        defer { free(environment) }
        var process: pid_t = 0
        let result = posix_spawnp(&process, arguments[0], &actions, &attributes, words, [environment, nil])
        guard result == 0 else {
            throw EngineError(.system, "cannot run \(arguments[0]): \(ErrorNumber(rawValue: result))")
        }
        try? pipe.writeEnd.close()
        let bytes = (try? pipe.readEnd.readAll(limit: 16 << 20)) ?? []
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let text = String(decoding: bytes, as: UTF8.self)
        guard status == 0 else {
            throw EngineError.invalid("error running \(arguments[0]): \(HostFiles.trim(text))")
        }
        return text
    }
}
