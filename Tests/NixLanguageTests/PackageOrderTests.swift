import NixLanguage
import Testing

/// The order of packages, as the C++ library's `std::sort` leaves it; the expected places are a program's that calls it.
@Suite struct PackageOrderTests {
    private func places(_ count: Int, _ key: (Int) -> Int) -> [Int] {
        PackageOrder.order(of: (0..<count).map { Array(String(key($0) + 100).utf8) })
    }

    @Test func allEqual() {
        let expected = [
            30, 21, 22, 23, 24, 25, 26, 27, 28, 29, 20, 31, 32, 33, 34, 35, 36, 37, 38, 39, 10, 1, 2, 3, 4, 5,
            6, 7, 8, 9, 0, 11, 12, 13, 14, 15, 16, 17, 18, 19,
        ]
        #expect(places(40) { _ in 7 } == expected)
    }

    @Test func threeNames() {
        let expected = [
            0, 21, 18, 24, 15, 27, 12, 30, 9, 33, 6, 36, 3, 39, 31, 34, 28, 37, 25, 22, 1, 19, 16, 4, 13, 7, 10,
            2, 20, 38, 5, 35, 8, 32, 11, 29, 14, 26, 17, 23,
        ]
        #expect(places(40) { $0 % 3 } == expected)
    }

    @Test func thirteenNames() {
        let expected = [
            39, 0, 26, 13, 20, 7, 46, 33, 40, 14, 27, 1, 8, 34, 21, 47, 28, 15, 41, 2, 22, 35, 9, 48, 16, 42, 3,
            29, 36, 49, 10, 23, 17, 4, 43, 30, 37, 24, 11, 18, 44, 5, 31, 38, 12, 25, 19, 45, 32, 6,
        ]
        #expect(places(50) { ($0 * 7919) % 13 } == expected)
    }

    /// Equal names, names in order and in reverse, and what quicksort likes least: all are sorted, and none is lost.
    @Test(arguments: [0, 1, 2, 16, 17, 33, 1000]) func anyNumber(_ count: Int) {
        let keyings: [(Int) -> Int] = [
            { $0 }, { -$0 }, { $0 % 3 }, { _ in 7 }, { ($0 * 7919) % 13 }, { min($0, 40 - $0) },
        ]
        for key in keyings {
            let keys = (0..<count).map { index in Array(String(key(index) + 5000).utf8) }
            let order = PackageOrder.order(of: keys)
            #expect(order.sorted() == Array(0..<count))
            for (left, right) in zip(order, order.dropFirst()) {
                #expect(!keys[right].lexicographicallyPrecedes(keys[left]))
            }
        }
    }
}
