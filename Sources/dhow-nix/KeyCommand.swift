import Kernel
import NixStore

/// `key`: the keys that sign what is put into binary caches.
enum KeyCommand {
    static let help = """
        Usage: dhow-nix key generate-secret --key-name NAME
               dhow-nix key convert-secret-to-public

        Make a secret key and print it; or read one from standard input and print its public key.

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var words: [String] = []
        var name: String?
        while let item = rest.next() {
            switch item {
            case .word(let word): words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option("--key-name"): name = try rest.value(of: "--key-name")
            case .option("--extra-experimental-features"): _ = try rest.value(of: "--extra-experimental-features")
            case .option(let option): throw UsageError("unrecognised flag '\(option)'")
            }
        }
        switch words {
        case ["generate-secret"]:
            guard let name else { throw UsageError("'key generate-secret' needs '--key-name'") }
            Output.standard.write(try SigningKey(generating: name).secretText)
        case ["convert-secret-to-public"]:
            let text = String(decoding: Output.readInput(), as: UTF8.self)
            Output.standard.write(try SigningKey(parsing: text).publicKey.text)
        default: throw UsageError("'key' needs 'generate-secret' or 'convert-secret-to-public'")
        }
    }

    /// `nix-store --generate-binary-cache-key NAME SECRET-FILE PUBLIC-FILE`.
    static func generatePair(_ arguments: Arguments) throws {
        var rest = arguments
        var words: [String] = []
        while case .word(let word)? = rest.next() { words.append(word) }
        guard words.count == 3 else {
            throw UsageError("three arguments expected: the key's name, the secret key's file, the public key's file")
        }
        let key = try SigningKey(generating: words[0])
        try FileDescriptor.currentDirectory.replaceFile(words[1], with: key.secretText, mode: 0o600)
        try FileDescriptor.currentDirectory.replaceFile(words[2], with: key.publicKey.text, mode: 0o644)
    }
}
