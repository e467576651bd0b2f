import NixStore

/// `nix-hash`: hashes of files and trees, and hashes in another form.
enum NixHashCommand {
    static let help = """
        Usage: nix-hash [OPTIONS] PATH...
               nix-hash --to-base16|--to-base32|--to-base64|--to-sri [--type TYPE] HASH...

        Print the hash of each path's Nix archive, or write a hash in another form.

          --flat                  of a file's bytes, not of its archive
          --type blake3|md5|sha1|sha256|sha512
                                  the hash function (md5)
          --base16, --base32, --base64, --sri
                                  how to write the hash (base 16)
          --truncate              fold it to 160 bits

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var words: [(text: String, bytes: ByteString)] = []
        var work = HashWork(format: .base16)
        var converts = false
        while let item = rest.next() {
            switch item {
            case .word("-") where !rest.isLiteral: throw UsageError("unrecognised flag '-'")
            case .word(let word): words.append((word, rest.wordBytes))
            case .option("--help"): throw HelpRequest(text: help)
            case .option("--version"): throw HelpRequest(text: "nix-hash (Nix) \(Settings.nixVersion)\n")
            case .option(let option):
                switch option {
                case "--flat": work.mode = .flat
                case "--truncate": work.truncates = true
                case "--type": work.algorithm = try HashWork.algorithm(try rest.value(of: option))
                case "--base16": work.format = .base16
                case "--base32": work.format = .nix32
                case "--base64": work.format = .base64
                case "--sri": work.format = .sri
                case "--to-base16": (converts, work.format) = (true, .base16)
                case "--to-base32": (converts, work.format) = (true, .nix32)
                case "--to-base64": (converts, work.format) = (true, .base64)
                case "--to-sri": (converts, work.format) = (true, .sri)
                default:
                    guard try HashWork.skips(option, &rest) else {
                        throw UsageError("unrecognised flag '\(option)'")
                    }
                }
            }
        }
        guard converts else {
            return try work.printHashes(of: words.map(\.bytes), algorithm: work.algorithm ?? .md5)
        }
        for (word, _) in words {
            // Nix of today asks for the type of a bare digest; scripts count on what it was before.
            let isNamed = word.contains { $0 == ":" || $0 == "-" }
            var work = work
            work.algorithm = work.algorithm ?? (isNamed ? nil : .md5)
            try work.convert([word])
        }
    }
}
