import Kernel

extension NixConfiguration {
    /// Where settings come from.
    public struct Sources: Sendable {
        /// The directory of the system's file.
        public var systemDirectory: String
        /// The user's files, the most important last. A file that is not there is none.
        public var userFiles: [String]
        /// The text of `NIX_CONFIG`.
        public var text: String?

        /// `NIX_CONF_DIR`, `NIX_USER_CONF_FILES` or else `XDG_CONFIG_HOME` and `XDG_CONFIG_DIRS`, and `NIX_CONFIG`.
        public init(environment: (String) -> String?) {
            systemDirectory = environment("NIX_CONF_DIR") ?? "/etc/nix"
            text = environment("NIX_CONFIG")
            if let files = environment("NIX_USER_CONF_FILES") {
                userFiles = files.split(separator: ":").reversed().map(String.init)
                return
            }
            var directories: [String] = []
            if let own = environment("XDG_CONFIG_HOME") {
                directories.append(own)
            } else if let home = environment("HOME") {
                directories.append(home + "/.config")
            }
            directories += (environment("XDG_CONFIG_DIRS") ?? "/etc/xdg").split(separator: ":").map(String.init)
            userFiles = directories.reversed().map { $0 + "/nix/nix.conf" }
        }
    }

    /// Reads all that this process's user has set, but for the command line.
    ///
    /// - Throws: `SettingsError` for a line that is none, a value that cannot be, or a file that is there and cannot be
    ///   read.
    public init(_ sources: Sources) throws(SettingsError) {
        self.init()
        systemDirectory = sources.systemDirectory
        try readFile(systemDirectory + "/nix.conf")
        resetOverridden()
        for file in sources.userFiles { try readFile(file) }
        if let text = sources.text { try read(text, named: "NIX_CONFIG") }
    }

    /// Reads a file; one that is not there, or not for this user, sets nothing.
    mutating func readFile(_ path: String, depth: Int = 0) throws(SettingsError) {
        let text: String
        do throws(KernelError) {
            text = try FileDescriptor.currentDirectory.readText(path, limit: 1 << 20)
        } catch {
            switch error.code {
            case .notFound, .notDirectory, .accessDenied, .isDirectory: return
            default: throw SettingsError("cannot read the configuration '\(path)': \(error)")
            }
        }
        try read(text, named: path, depth: depth)
    }

    /// Reads `name = value` lines, `include FILE` and `!include FILE`; `#` begins a comment.
    ///
    /// - Parameter name: what errors call the text; relative includes begin at its directory.
    mutating func read(_ text: String, named name: String, depth: Int = 0) throws(SettingsError) {
        // More than anybody means; a file that includes itself ends here.
        guard depth < 64 else { throw SettingsError("the configuration '\(name)' is included by itself, or too deep") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            let content = line.prefix { $0 != "#" }
            let words = content.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" })
                .map(String.init)
            guard let first = words.first else { continue }
            let illegal = SettingsError("illegal configuration line '\(content)' in '\(name)'")
            guard words.count > 1 else { throw illegal }
            if first == "include" || first == "!include" {
                guard words.count == 2 else { throw illegal }
                let file = words[1].hasPrefix("/") ? words[1] : Self.directory(of: name) + words[1]
                if FileDescriptor.currentDirectory.exists(file) {
                    try readFile(file, depth: depth + 1)
                } else if first == "include" {
                    throw SettingsError("file '\(file)' included from '\(name)' not found")
                }
                continue
            }
            guard words[1] == "=" else { throw illegal }
            try set(first, to: words.dropFirst(2).joined(separator: " "))
        }
    }

    private static func directory(of path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
    }
}
