import NixLanguage
import NixStore

/// `hash`: hashes of files, trees and of each other, with the flags and outputs of `nix-hash`.
enum HashCommand {
    static let help = """
        Usage: dhow-nix hash [OPTIONS] PATH...
               dhow-nix hash --to-base16|--to-base32|--to-base64|--to-sri HASH...

        Print the hash of each path's Nix archive.

          --flat                  of a file's bytes, not of its archive
          --type md5|sha1|sha256|sha512
                                  the hash function (md5)
          --base16, --base32, --base64, --sri
                                  how to write the hash (base 16)
          --truncate              fold it to 160 bits

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var words: [String] = []
        var algorithm: HashAlgorithm?
        var format = Hash.Format.base16
        var (isFlat, truncates, converts) = (false, false, false)
        while let item = rest.next() {
            switch item {
            case .word(let word): words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--flat": isFlat = true
                case "--truncate": truncates = true
                case "--type": algorithm = try self.algorithm(try rest.value(of: option))
                case "--base16": format = .base16
                case "--base32": format = .nix32
                case "--base64": format = .base64
                case "--sri": format = .sri
                case "--to-base16": (converts, format) = (true, .base16)
                case "--to-base32": (converts, format) = (true, .nix32)
                case "--to-base64": (converts, format) = (true, .base64)
                case "--to-sri": (converts, format) = (true, .sri)
                default: throw UsageError("unrecognised flag '\(option)'")
                }
            }
        }
        for word in words {
            let text: String
            if converts {
                let isNamed = word.contains { $0 == ":" || $0 == "-" }
                text = try Hash(parsing: word, algorithm: algorithm ?? (isNamed ? nil : .md5)).text(format)
            } else {
                text = try hash(word, algorithm ?? .md5, isFlat: isFlat, truncates: truncates, format)
            }
            Output.standard.write(text + "\n")
        }
    }

    private static func algorithm(_ name: String) throws -> HashAlgorithm {
        guard let algorithm = HashAlgorithm(rawValue: name) else {
            throw UsageError("unknown hash algorithm '\(name)', expect 'md5', 'sha1', 'sha256', or 'sha512'")
        }
        return algorithm
    }

    private static func hash(
        _ path: String, _ algorithm: HashAlgorithm, isFlat: Bool, truncates: Bool, _ format: Hash.Format
    ) throws -> String {
        let source = DirectorySource()
        let hash: Hash
        if isFlat {
            var stream = HashStream(algorithm)
            try source.read(path, size: { _ in }, body: { stream.update($0) })
            hash = stream.finish()
        } else {
            hash = try Hash(algorithm, archiveOf: path, in: source)
        }
        return truncates ? hash.truncatedText(to: 20, format) : hash.text(format)
    }
}
