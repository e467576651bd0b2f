import Crypto

/// A key's name and bytes, as `name:base64`.
private struct NamedKey {
    let name: String
    let bytes: [UInt8]

    init(_ text: String, of what: String) throws(StoreError) {
        guard let colon = text.firstIndex(of: ":"), colon > text.startIndex else {
            throw StoreError(.badSignature, "\(what) is corrupt: it is not of the form 'name:base64'")
        }
        name = String(text[..<colon])
        guard !name.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) else {
            throw StoreError(.badSignature, "\(what) is corrupt: its name holds white space or is not ASCII")
        }
        guard let bytes = Base64.decode(text[text.index(after: colon)...].utf8), !bytes.isEmpty else {
            throw StoreError(.badSignature, "\(what) is corrupt: what follows its name is not base 64")
        }
        self.bytes = bytes
    }
}

/// An Ed25519 key that signs what is put into binary caches.
public struct SigningKey: Sendable {
    /// Usually a host's name and a number: `cache.example.org-1`.
    public let name: String
    private let key: Curve25519.Signing.PrivateKey

    /// Makes a new key.
    public init(generating name: String) throws(StoreError) {
        guard !name.isEmpty, !name.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F || $0 == UInt8(ascii: ":") }) else {
            throw StoreError(
                .badSignature, "'\(name)' cannot be a key's name: it must be ASCII without spaces and colons")
        }
        self.name = name
        key = Curve25519.Signing.PrivateKey()
    }

    /// Reads `name:base64`, where base 64 holds the 32 bytes of the seed and, as Nix has it, the 32 of the public key.
    public init(parsing text: String) throws(StoreError) {
        let named = try NamedKey(Self.trimmed(text), of: "the secret key")
        name = named.name
        guard named.bytes.count == 64 || named.bytes.count == 32,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: named.bytes.prefix(32))
        else {
            throw StoreError(
                .badSignature, "the secret key '\(name)' is corrupt: it has \(named.bytes.count) bytes, not 64")
        }
        if named.bytes.count == 64, Array(key.publicKey.rawRepresentation) != Array(named.bytes.suffix(32)) {
            throw StoreError(.badSignature, "the secret key '\(name)' is corrupt: its halves do not belong together")
        }
        self.key = key
    }

    /// What `init(parsing:)` reads: keep it secret.
    public var secretText: String {
        name + ":" + Base64.encode(Array(key.rawRepresentation) + Array(key.publicKey.rawRepresentation))
    }

    public var publicKey: VerificationKey { VerificationKey(name: name, key: key.publicKey) }

    /// `name:base64`, over `text`.
    public func signature(of text: String) throws(StoreError) -> String {
        do { return name + ":" + Base64.encode(Array(try key.signature(for: Array(text.utf8)))) } catch {
            throw StoreError(.badSignature, "signing with the key '\(name)': \(error)")
        }
    }

    static func trimmed(_ text: String) -> String {
        var rest = text[...]
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
        return String(rest)
    }
}

/// The public half of a signing key.
public struct VerificationKey: Sendable {
    public let name: String
    private let key: Curve25519.Signing.PublicKey

    init(name: String, key: Curve25519.Signing.PublicKey) {
        self.name = name
        self.key = key
    }

    /// Reads `name:base64`.
    public init(parsing text: String) throws(StoreError) {
        let named = try NamedKey(SigningKey.trimmed(text), of: "the public key '\(text)'")
        name = named.name
        guard named.bytes.count == 32, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: named.bytes)
        else {
            throw StoreError(
                .badSignature, "the public key '\(name)' is corrupt: it has \(named.bytes.count) bytes, not 32")
        }
        self.key = key
    }

    public var text: String { name + ":" + Base64.encode(Array(key.rawRepresentation)) }

    func isValid(_ signature: [UInt8], of text: String) -> Bool {
        key.isValidSignature(signature, for: Array(text.utf8))
    }
}

/// The keys whose signatures count, by name.
public struct TrustedKeys: Sendable {
    private var keys: [String: VerificationKey] = [:]

    public init(_ keys: [VerificationKey] = []) {
        for key in keys { self.keys[key.name] = key }
    }

    /// As in `trusted-public-keys`: keys between white space.
    public init(parsing text: String) throws(StoreError) {
        for word in text.split(whereSeparator: \.isWhitespace) {
            let key = try VerificationKey(parsing: String(word))
            keys[key.name] = key
        }
    }

    public var isEmpty: Bool { keys.isEmpty }
    public var names: [String] { keys.keys.sorted() }

    /// Whether `signature`, `name:base64`, is one of ours over `text`.
    public func verify(_ signature: String, of text: String) -> Bool {
        guard let named = try? NamedKey(signature, of: "the signature"), named.bytes.count == 64,
            let key = keys[named.name]
        else { return false }
        return key.isValid(named.bytes, of: text)
    }
}
