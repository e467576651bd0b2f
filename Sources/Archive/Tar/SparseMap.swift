/// The maps of sparse files (GNU tar's manual, "Sparse Formats").
enum SparseMap {
    /// A file of this many pieces would have a map of 16 MiB; more is an attack.
    static let maximumCount = 1 << 20

    /// Whether the extents are in order, do not overlap, lie in the file and account for every stored byte.
    static func isValid(_ extents: [SparseExtent], size: Int64, stored: Int64) -> Bool {
        var end: Int64 = 0
        var sum: Int64 = 0
        for extent in extents {
            guard extent.count >= 0, extent.offset >= end else { return false }
            let (next, overflow) = extent.offset.addingReportingOverflow(extent.count)
            if overflow || next > size { return false }
            end = next
            sum += extent.count
        }
        return sum == stored
    }

    /// Old GNU's pairs of 12-byte numbers; the first empty one ends them.
    static func appendPairs(of view: TarBlockView, at start: Int, count: Int, to extents: inout [SparseExtent]) throws {
        for index in 0..<count {
            let place = start + index * 24
            if view.byte(place) == 0 { return }
            guard let offset = view.number(.init(offset: place, count: 12)),
                let length = view.number(.init(offset: place + 12, count: 12)), extents.count < maximumCount
            else { throw corruptArchive("the map of a sparse file is not valid") }
            extents.append(SparseExtent(offset: offset, count: length))
        }
    }

    /// `offset,count,offset,count…`, as PAX format 0.1 has it.
    static func list(_ value: [UInt8]) throws -> [SparseExtent] {
        try pairs(value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { Array($0) })
    }

    static func pairs(_ numbers: [[UInt8]]) throws -> [SparseExtent] {
        guard numbers.count % 2 == 0, numbers.count / 2 <= maximumCount else {
            throw corruptArchive("the map of a sparse file is not valid")
        }
        return try stride(from: 0, to: numbers.count, by: 2).map { index in
            guard let offset = PAXNumber.integer(numbers[index]), let count = PAXNumber.integer(numbers[index + 1])
            else {
                throw corruptArchive("the map of a sparse file is not valid")
            }
            return SparseExtent(offset: offset, count: count)
        }
    }

    /// Format 1.0: a decimal number a line: how many pairs, then the pairs.
    struct LineParser {
        private(set) var extents: [SparseExtent] = []
        private var expected: Int64?
        private var offset: Int64?
        private var number: Int64 = 0
        private var hasDigits = false

        var isComplete: Bool { expected.map { Int64(extents.count) == $0 } ?? false }

        mutating func take(_ block: UnsafeRawBufferPointer) throws {
            for byte in block {
                if isComplete { return }
                if (0x30...0x39).contains(byte) {
                    let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
                    let (sum, more) = tens.addingReportingOverflow(Int64(byte - 0x30))
                    if overflow || more { throw corruptArchive("the map of a sparse file is not valid") }
                    number = sum
                    hasDigits = true
                } else if byte == 0x0A, hasDigits {
                    try takeNumber()
                } else {
                    throw corruptArchive("the map of a sparse file is not valid")
                }
            }
        }

        private mutating func takeNumber() throws {
            if expected == nil {
                if number > Int64(maximumCount) { throw corruptArchive("the map of a sparse file is too long") }
                expected = number
            } else if let start = offset {
                extents.append(SparseExtent(offset: start, count: number))
                offset = nil
            } else {
                offset = number
            }
            number = 0
            hasDigits = false
        }
    }
}
