/// Recognises the keys that leave an attached terminal, in what the client types.
///
/// Keys that may be the beginning of the sequence are held back until it is clear.
package struct DetachSequence: Sendable {
    private let keys: [UInt8]
    private var matched = 0

    /// Control-P, Control-Q.
    package static let standard: [UInt8] = [16, 17]

    package init(keys: [UInt8]) { self.keys = keys }

    /// What of `input` goes to the terminal, and whether the sequence is complete; nothing after it goes.
    package mutating func filter(_ input: some Sequence<UInt8>) -> (bytes: [UInt8], isComplete: Bool) {
        var output: [UInt8] = []
        for byte in input {
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count {
                    matched = 0
                    return (output, true)
                }
            } else {
                output += keys[..<matched]
                matched = byte == keys[0] ? 1 : 0
                if matched == 0 {
                    output.append(byte)
                } else if keys.count == 1 {
                    matched = 0
                    return (output, true)
                }
            }
        }
        return (output, false)
    }

    /// Docker's spelling: keys with commas between them, each a character or `ctrl-` with a letter or one of `@[\]^_`.
    /// - Throws: `HTTPFailure` when `text` is not so spelled.
    package static func parse(_ text: String) throws(HTTPFailure) -> [UInt8] {
        var keys: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bytes = Array(key.utf8)
            if bytes.count == 1 {
                keys.append(bytes[0])
            } else if key.hasPrefix("ctrl-"), bytes.count == 6 {
                switch bytes[5] {
                case UInt8(ascii: "a")...UInt8(ascii: "z"): keys.append(bytes[5] - UInt8(ascii: "a") + 1)
                case UInt8(ascii: "@"): keys.append(0)
                case UInt8(ascii: "[")...UInt8(ascii: "_"): keys.append(bytes[5] - UInt8(ascii: "[") + 27)
                default: throw HTTPFailure(.badRequest, "invalid detach keys (\(text)): unknown character '\(key)'")
                }
            } else {
                throw HTTPFailure(.badRequest, "invalid detach keys (\(text)): unknown character '\(key)'")
            }
        }
        return keys
    }
}
