import Glibc

/// `dhow nix …`, and Nix's tools by their own names: another program's work, which this one becomes.
///
/// The evaluator is not linked into `dhow`, whose daily verbs must start in a few milliseconds.
enum NixTools {
    private static let names: Set = ["nix-instantiate", "nix-hash"]

    /// Becomes `dhow-nix` if that is meant.
    /// - Returns: an exit status when it is meant and cannot be; `nil` when something else is.
    static func run(_ arguments: [String]) -> Int32? {
        let name = arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        var words: [String]
        if names.contains(name) {
            words = [name] + arguments.dropFirst()
        } else if arguments.dropFirst().first == "nix" {
            words = ["dhow-nix"] + arguments.dropFirst(2)
        } else {
            return nil
        }
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        if let own = realpath("/proc/self/exe", nil) {
            defer { free(own) }
            let directory = String(cString: own).split(separator: "/").dropLast().joined(separator: "/")
            execv("/\(directory)/dhow-nix", &pointers)
        }
        execvp("dhow-nix", &pointers)
        let reason = String(cString: strerror(errno))
        words = ["dhow: cannot start dhow-nix, which evaluates Nix: \(reason)\n"]
        _ = write(STDERR_FILENO, words[0], words[0].utf8.count)
        return 127
    }
}
