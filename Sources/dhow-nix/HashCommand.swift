import NixStore

/// `nix hash`: `path`, `file`, `convert` and `to-…`; without one of these, what `nix-hash` does.
enum HashCommand {
    static let help = """
        Usage: dhow-nix hash path [OPTIONS] PATH...
               dhow-nix hash file [OPTIONS] PATH...
               dhow-nix hash convert [OPTIONS] HASH...
               dhow-nix hash to-base16|to-base32|to-base64|to-sri [--type TYPE] HASH...
               dhow-nix hash [OPTIONS OF nix-hash] PATH...

        Print the hash of each path's Nix archive, of each file's bytes, or write hashes in another form.

          --algo, --type blake3|md5|sha1|sha256|sha512
                                  the hash function (sha256); convert: what the digests are of, where they do not say
          --format base16|nix32|base64|sri
                                  path: how to write the hash (sri); also --base16, --base32, --base64 and --sri
          --mode nar|flat         path: of the archive, or of a file's bytes (nar)
          --from, --to base16|nix32|base64|sri
                                  convert: how the hashes have to be written, and how to write them (sri)

        """

    private enum Verb: String {
        case path, file, convert
        case toBase16 = "to-base16"
        case toBase32 = "to-base32"
        case toBase64 = "to-base64"
        case toSRI = "to-sri"

        /// How hashes are written unless an option says otherwise.
        var format: Hash.Format {
            switch self {
            case .path, .file, .convert, .toSRI: .sri
            case .toBase16: .base16
            case .toBase32: .nix32
            case .toBase64: .base64
            }
        }

        var readsFiles: Bool { self == .path || self == .file }
    }

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        guard case .word(let word)? = rest.next(), let verb = Verb(rawValue: word) else {
            return try old(arguments)
        }
        var words: [(text: String, bytes: ByteString)] = []
        var work = HashWork(format: verb.format)
        if verb == .file { work.mode = .flat }
        var expected: Hash.Format?
        while let item = rest.next() {
            switch item {
            case .word("-") where !rest.isLiteral: throw UsageError("unrecognised flag '-'")
            case .word(let word): words.append((word, rest.wordBytes))
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch (option, verb) {
                case ("--type", _), ("--algo", _), ("--hash-algo", _):
                    work.algorithm = try HashWork.algorithm(try rest.value(of: option))
                case ("--mode", .path): work.mode = try HashWork.mode(try rest.value(of: option))
                case ("--format", .path), ("--to", .convert):
                    work.format = try HashWork.format(try rest.value(of: option))
                case ("--from", .convert): expected = try HashWork.format(try rest.value(of: option))
                case ("--base16", .path), ("--base16", .file): work.format = .base16
                case ("--base32", .path), ("--base32", .file): work.format = .nix32
                case ("--base64", .path), ("--base64", .file): work.format = .base64
                case ("--sri", .path), ("--sri", .file): work.format = .sri
                default:
                    guard try HashWork.skips(option, &rest) else {
                        throw UsageError("unrecognised flag '\(option)'")
                    }
                }
            }
        }
        if verb.readsFiles {
            try work.printHashes(of: words.map(\.bytes), algorithm: work.algorithm ?? .sha256)
        } else {
            try work.convert(words.map(\.text), from: expected)
        }
    }

    /// The flags of `nix-hash`, and no verb.
    private static func old(_ arguments: Arguments) throws {
        var rest = arguments
        guard let first = rest.next() else {
            throw UsageError("which hash? 'path', 'file', 'convert' or 'to-…'")
        }
        if case .option("--help") = first { throw HelpRequest(text: help) }
        try NixHashCommand.run(arguments)
    }
}
