import Glibc

/// Another of our programs, which this one becomes.
enum Successor {
    /// - Parameters:
    ///   - program: beside this one, or somewhere in PATH.
    ///   - words: its arguments, its name first.
    /// - Returns: an exit status, when it cannot be started.
    static func become(_ program: String, _ words: [String], what: String) -> Int32 {
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
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
