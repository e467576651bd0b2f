/// A set of numbers below a bound, as bits that are only stored where some are set.
///
/// Finding the next free number skips full stretches a page (4096 numbers) at a time, and in a page a word at a time.
struct Bitmap: Sendable {
    /// The largest number that can be in the set.
    let last: UInt128

    private struct Page: Sendable {
        var words = [UInt64](repeating: 0, count: 64)
        var count = 0
    }

    private var pages: [UInt128: Page] = [:]
    private(set) var count: UInt128 = 0

    init(last: UInt128) { self.last = last }

    func contains(_ number: UInt128) -> Bool {
        guard let page = pages[number >> 12] else { return false }
        return page.words[Int(number >> 6 & 63)] >> UInt64(number & 63) & 1 != 0
    }

    /// - Returns: whether it was not there before.
    @discardableResult
    mutating func insert(_ number: UInt128) -> Bool {
        guard number <= last, !contains(number) else { return false }
        pages[number >> 12, default: Page()].words[Int(number >> 6 & 63)] |= 1 << UInt64(number & 63)
        pages[number >> 12]?.count += 1
        count += 1
        return true
    }

    /// - Returns: whether it was there.
    @discardableResult
    mutating func remove(_ number: UInt128) -> Bool {
        guard contains(number) else { return false }
        pages[number >> 12]?.words[Int(number >> 6 & 63)] &= ~(1 << UInt64(number & 63))
        pages[number >> 12]?.count -= 1
        if pages[number >> 12]?.count == 0 { pages[number >> 12] = nil }
        count -= 1
        return true
    }

    /// The lowest number in `range` that is not in the set.
    func firstFree(in range: ClosedRange<UInt128>) -> UInt128? {
        var number = range.lowerBound
        let end = min(range.upperBound, last)
        while number <= end {
            guard let page = pages[number >> 12] else { return number }
            if page.count == 4096 {
                if number >> 12 == end >> 12 { return nil }
                number = (number >> 12 + 1) << 12
                continue
            }
            let word = ~page.words[Int(number >> 6 & 63)] >> UInt64(number & 63)
            if word != 0 {
                let found = number + UInt128(word.trailingZeroBitCount)
                return found <= end ? found : nil
            }
            if number >> 6 == end >> 6 { return nil }
            number = (number >> 6 + 1) << 6
        }
        return nil
    }
}
