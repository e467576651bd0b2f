import Glibc

/// Another of our programs, which this one becomes.
enum Successor {
    /// - Parameters:
    ///   - program: beside this one, or somewhere in PATH.
    ///   - name: what it is called.
    ///   - skipped: how many of this program's arguments are not for it. The others go on as they are, because names of
    ///     files need not be UTF-8.
    /// - Returns: an exit status, when it cannot be started.
    static func become(_ program: String, called name: String, skipping skipped: Int = 0, what: String) -> Int32 {
        let first = strdup(name)
        defer { free(first) }
        var pointers = [first]
        for index in stride(from: 1 + skipped, to: Int(CommandLine.argc), by: 1) {
            pointers.append(CommandLine.unsafeArgv[index])
        }
        pointers.append(nil)
        if let own = realpath("/proc/self/exe", nil) {
            defer { free(own) }
            let directory = String(cString: own).split(separator: "/").dropLast().joined(separator: "/")
            execv("/\(directory)/\(program)", &pointers)
        }
        execvp(program, &pointers)
        let reason = String(cString: strerror(errno))
        let sentence = "dhow: cannot start \(program), which \(what): \(reason)\n"
        _ = write(STDERR_FILENO, sentence, sentence.utf8.count)
        return 127
    }
}
