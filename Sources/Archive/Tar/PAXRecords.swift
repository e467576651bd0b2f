import Kernel

/// The records of a PAX extended header: `length key=value\n` (POSIX pax, "pax Extended Header").
struct PAXRecords: Sendable {
    var records: [(key: [UInt8], value: [UInt8])] = []

    init() {}

    /// - Throws: `ArchiveError.corrupt` when a record's length or form is wrong.
    init(parsing bytes: [UInt8]) throws {
        var position = 0
        while position < bytes.count {
            // Zeros after the last record are padding that some writers count in.
            if bytes[position] == 0 {
                if bytes[position...].allSatisfy({ $0 == 0 }) { break }
                throw Self.malformed("a record has no length")
            }
            var cursor = position
            var length = 0
            while cursor < bytes.count, (0x30...0x39).contains(bytes[cursor]), length < 1 << 32 {
                length = length * 10 + Int(bytes[cursor] - 0x30)
                cursor += 1
            }
            guard cursor > position, cursor < bytes.count, bytes[cursor] == 0x20 else {
                throw Self.malformed("a record has no length")
            }
            cursor += 1
            let end = position + length
            guard length <= bytes.count, end <= bytes.count, end - 1 > cursor, bytes[end - 1] == 0x0A else {
                throw Self.malformed("a record's length is wrong")
            }
            guard let equals = bytes[cursor..<end - 1].firstIndex(of: 0x3D), equals > cursor else {
                throw Self.malformed("a record has no key")
            }
            records.append((Array(bytes[cursor..<equals]), Array(bytes[(equals + 1)..<(end - 1)])))
            position = end
        }
    }

    private static func malformed(_ reason: String) -> ArchiveError {
        ArchiveError(.corrupt, "the tar archive has a malformed PAX header: \(reason)")
    }

    var isEmpty: Bool { records.isEmpty }
    var byteCount: Int { records.reduce(0) { $0 + $1.key.count + $1.value.count } }

    /// How many records of global headers are believed: each is applied to every entry. Real ones have a handful.
    static let maximumGlobalCount = 1024

    /// Global headers add up; a later value replaces an earlier one.
    /// - Throws: `ArchiveError.corrupt` when there are more than `maximumGlobalCount`.
    mutating func merge(_ other: PAXRecords) throws {
        var positions: [[UInt8]: Int] = [:]
        for (position, record) in records.enumerated() { positions[record.key] = position }
        for record in other.records {
            if let position = positions[record.key] {
                records[position] = record
                continue
            }
            guard records.count < Self.maximumGlobalCount else {
                throw Self.malformed("its global records are more than \(Self.maximumGlobalCount)")
            }
            positions[record.key] = records.count
            records.append(record)
        }
    }

    /// Adds a record for writing.
    mutating func append(_ key: String, _ value: [UInt8]) { records.append((Array(key.utf8), value)) }
    mutating func append(_ key: String, _ value: String) { append(key, Array(value.utf8)) }

    var serialized: [UInt8] {
        var bytes: [UInt8] = []
        for (key, value) in records {
            // The length counts its own digits.
            let rest = key.count + value.count + 3
            var length = rest + String(rest).utf8.count
            length = rest + String(length).utf8.count
            bytes += Array(String(length).utf8) + [0x20] + key + [0x3D] + value + [0x0A]
        }
        return bytes
    }
}

/// Numbers in PAX values.
enum PAXNumber {
    static func integer(_ value: [UInt8]) -> Int64? { Int64(String(decoding: value, as: UTF8.self)) }

    /// Seconds with an optional sign and fraction; digits past the ninth are cut off.
    static func time(_ value: [UInt8]) -> Timestamp? {
        var digits = value[...]
        let isNegative = digits.first == 0x2D
        if isNegative { digits = digits.dropFirst() }
        let parts = digits.split(separator: 0x2E, maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !(whole.isEmpty && parts.count == 1) else { return nil }
        var seconds: Int64 = 0
        for digit in whole {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (tens, overflow) = seconds.multipliedReportingOverflow(by: 10)
            let (sum, more) = tens.addingReportingOverflow(Int64(digit - 0x30))
            if overflow || more { return nil }
            seconds = sum
        }
        var nanoseconds: Int64 = 0
        var scale: Int64 = 100_000_000
        for digit in parts.count > 1 ? parts[1] : [] {
            guard (0x30...0x39).contains(digit) else { return nil }
            nanoseconds += Int64(digit - 0x30) * scale
            scale /= 10
        }
        if isNegative {
            seconds = -seconds
            if nanoseconds > 0 {
                seconds -= 1
                nanoseconds = 1_000_000_000 - nanoseconds
            }
        }
        return Timestamp(seconds: seconds, nanoseconds: UInt32(nanoseconds))
    }

    static func text(_ time: Timestamp) -> String {
        if time.nanoseconds == 0 { return String(time.seconds) }
        var (seconds, nanoseconds) = (time.seconds, Int64(time.nanoseconds))
        let isNegative = seconds < 0
        if isNegative {
            seconds += 1
            nanoseconds = 1_000_000_000 - nanoseconds
        }
        var fraction = String(nanoseconds)
        fraction = String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(isNegative ? "-" : "")\(seconds.magnitude).\(fraction)"
    }
}
