/// The order in which `nix-env` prints packages: by their names, without regard to case.
///
/// Of packages that have the same name, `nix-env` leaves the order to the C++ library's `std::sort`, which is not
/// stable. What scripts compare is the whole output, so the same steps are taken here: quicksort around the median of
/// the second, the middle and the last element until at most `threshold` are left, and one insertion sort over all.
package enum PackageOrder {
    private static let threshold = 16

    static func sorted(_ packages: [Package]) -> [Package] {
        // Folded as `toupper` does: `_` comes behind letters.
        let keys = packages.map { $0.name.bytes.map { 0x61...0x7A ~= $0 ? $0 & 0xDF : $0 } }
        return order(of: keys).map { packages[$0] }
    }

    /// The places of `keys` in order.
    package static func order(of keys: [[UInt8]]) -> [Int] {
        var places = Array(keys.indices)
        func isBefore(_ left: Int, _ right: Int) -> Bool { keys[left].lexicographicallyPrecedes(keys[right]) }

        /// Sorts roughly, until what is out of order is near its place.
        func split(_ first: Int, _ end: Int, _ depth: Int) {
            var (end, depth) = (end, depth)
            while end - first > threshold {
                guard depth > 0 else {
                    // Quicksort has met its worst case. The library takes a heap; any order of equals will do.
                    places[first..<end].sort(by: isBefore)
                    return
                }
                depth -= 1
                places.swapAt(first, median(first + 1, first + (end - first) / 2, end - 1))
                let cut = partition(first + 1, end, around: places[first])
                split(cut, end, depth)
                end = cut
            }
        }

        func median(_ a: Int, _ b: Int, _ c: Int) -> Int {
            if isBefore(places[a], places[b]) {
                if isBefore(places[b], places[c]) { return b }
                return isBefore(places[a], places[c]) ? c : a
            }
            if isBefore(places[a], places[c]) { return a }
            return isBefore(places[b], places[c]) ? c : b
        }

        /// The median has an element on either side, where both searches end.
        func partition(_ first: Int, _ end: Int, around pivot: Int) -> Int {
            var (low, high) = (first, end)
            while true {
                while isBefore(places[low], pivot) { low += 1 }
                high -= 1
                while isBefore(pivot, places[high]) { high -= 1 }
                guard low < high else { return low }
                places.swapAt(low, high)
                low += 1
            }
        }

        guard places.count > 1 else { return places }
        split(0, places.count, 2 * (Int.bitWidth - 1 - places.count.leadingZeroBitCount))
        for index in 1..<places.count {
            let moved = places[index]
            var hole = index
            while hole > 0, isBefore(moved, places[hole - 1]) {
                places[hole] = places[hole - 1]
                hole -= 1
            }
            places[hole] = moved
        }
        return places
    }
}
