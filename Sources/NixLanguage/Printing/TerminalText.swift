/// Text for a terminal, and what is left of it elsewhere.
public enum TerminalText {
    /// The text without control sequences (ECMA-48: `ESC [ … letter`), which programs write into their messages.
    public static func plain(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(0x1B) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var at = 0
        while at < text.count {
            guard text[at] == 0x1B else {
                result.append(text[at])
                at += 1
                continue
            }
            at += 1
            guard at < text.count, text[at] == UInt8(ascii: "[") else { continue }
            at += 1
            while at < text.count, !(0x40...0x7E).contains(text[at]) { at += 1 }
            at += 1
        }
        return result
    }
}
