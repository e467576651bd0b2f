/// Makes the checksums of everything that looks like a header right, so that the fuzzer need not find them.
public func withTarChecksums(_ bytes: [UInt8]) -> [UInt8] {
    var archive = bytes
    for start in stride(from: 0, to: archive.count - 511, by: 512) {
        guard archive[(start + 257)..<(start + 262)].elementsEqual("ustar".utf8) else { continue }
        setTarChecksum(of: &archive, at: start)
    }
    return archive
}

/// POSIX pax, ustar interchange format: the sum of the bytes, the eight of the field itself taken as blanks.
public func setTarChecksum(of archive: inout [UInt8], at start: Int) {
    for offset in 148..<156 { archive[start + offset] = 0x20 }
    let sum = archive[start..<(start + 512)].reduce(0) { $0 + Int($1) }
    let digits = String(sum, radix: 8)
    let field = Array((String(repeating: "0", count: 6 - digits.count) + digits).utf8) + [0, 0x20]
    archive.replaceSubrange((start + 148)..<(start + 156), with: field)
}
