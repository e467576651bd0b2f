// `split(separator: "/")` compares characters, and a slash with a combining mark after it is another character: what
// the kernel takes for a separator would not be seen. These compare bytes, as the kernel does.
extension StringProtocol where SubSequence == Substring {
    /// Splits at every byte that is `separator`, which must be ASCII.
    public func splitBytes(
        _ separator: Unicode.Scalar, maxSplits: Int = .max, omittingEmpty: Bool = true
    ) -> [Substring] {
        let byte = UInt8(truncatingIfNeeded: separator.value)
        return Substring(self).utf8.split(
            separator: byte, maxSplits: maxSplits, omittingEmptySubsequences: omittingEmpty
        ).map { Substring($0) }
    }

    /// Whether a byte of it is `scalar`, which must be ASCII.
    public func containsByte(_ scalar: Unicode.Scalar) -> Bool {
        utf8.contains(UInt8(truncatingIfNeeded: scalar.value))
    }
}
