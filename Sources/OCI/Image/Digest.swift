import JSON

/// A content digest, `algorithm:hex`, as the OCI image specification's descriptor.md defines it.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha256, sha512

        /// How many hexadecimal digits a digest of this algorithm has.
        public var hexLength: Int { self == .sha256 ? 64 : 128 }
    }

    public let algorithm: Algorithm
    /// The digest in lower-case hexadecimal.
    public let hex: String

    /// Parses `algorithm:hex`.
    /// - Throws: `OCIError.invalidDigest` when the algorithm is unknown or the length or a digit is wrong.
    public init(_ text: String) throws(OCIError) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw OCIError(.invalidDigest, "invalid digest \"\(text.prefix(200))\": expected algorithm:hex")
        }
        guard let algorithm = Algorithm(rawValue: String(text[..<colon])) else {
            throw OCIError(
                .invalidDigest, "invalid digest \"\(text.prefix(200))\": the algorithm must be sha256 or sha512")
        }
        let hex = String(text[text.utf8.index(after: colon)...])
        guard Self.isHex(hex), hex.utf8.count == algorithm.hexLength else {
            throw OCIError(
                .invalidDigest,
                "invalid digest \"\(text.prefix(200))\": \(algorithm.rawValue) needs \(algorithm.hexLength) "
                    + "lower-case hexadecimal digits")
        }
        self.algorithm = algorithm
        self.hex = hex
    }

    /// A digest from the bytes that a hash function returned: 32 of them for SHA-256, 64 for SHA-512.
    /// - Throws: `OCIError.invalidDigest` when their number is another.
    public init(algorithm: Algorithm = .sha256, bytes: some Collection<UInt8>) throws(OCIError) {
        guard bytes.count * 2 == algorithm.hexLength else {
            throw OCIError(.invalidDigest, "a \(algorithm.rawValue) digest cannot have \(bytes.count) bytes")
        }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(algorithm.hexLength)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        self.algorithm = algorithm
        hex = String(decoding: text, as: UTF8.self)
    }

    private init(trusted hex: String) {
        algorithm = .sha256
        self.hex = hex
    }

    /// The SHA-256 of no bytes: what an empty `Descriptor` starts with.
    public static let empty = Digest(trusted: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

    public var description: String { "\(algorithm.rawValue):\(hex)" }

    /// The first twelve digits, as Docker's tables show an ID.
    public var short: String { String(hex.prefix(12)) }

    public static func < (left: Self, right: Self) -> Bool {
        (left.algorithm.rawValue, left.hex) < (right.algorithm.rawValue, right.hex)
    }

    /// Whether `text` is made of lower-case hexadecimal digits, and not empty.
    public static func isHex(_ text: some StringProtocol) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}

extension Digest: JSONConvertible {
    public init(json: JSONValue) throws(JSONError) {
        let text = try String(json: json)
        do throws(OCIError) {
            self = try Digest(text)
        } catch {
            throw JSONError(code: .type, reason: error.message)
        }
    }

    public var json: JSONValue { .string(description) }
}
