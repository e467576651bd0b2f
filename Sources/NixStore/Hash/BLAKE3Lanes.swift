/// What a node of BLAKE3's tree is known by above it: eight words.
struct ChainingValue {
    /// Little-endian, as they are hashed again.
    var words: SIMD8<UInt32>

    var bytes: [UInt8] {
        withUnsafeBytes(of: words) { Array($0) }
    }
}

/// BLAKE3's compression function (the paper's section 2.2), four times side by side.
struct BLAKE3Lanes {
    static let blockLength = 64

    /// What is compressed (table 3).
    struct Flags: OptionSet {
        let rawValue: UInt32
        static let chunkStart = Flags(rawValue: 1)
        static let chunkEnd = Flags(rawValue: 2)
        static let parent = Flags(rawValue: 4)
        static let root = Flags(rawValue: 8)
    }

    typealias Word = SIMD4<UInt32>

    /// The square roots' fractions of the first eight primes, as in SHA-256.
    private static let initial: SIMD8<UInt32> = [
        0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19,
    ]

    /// Which words of the block each of the seven rounds takes, in order: each is the permutation of table 2 of the one
    /// before.
    private static let schedule: [UInt8] = {
        let permutation: [UInt8] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
        var round: [UInt8] = Array(0..<16)
        var schedule = round
        for _ in 1..<7 {
            round = permutation.map { round[Int($0)] }
            schedule += round
        }
        return schedule
    }()

    private var h0 = Word(repeating: initial[0]), h1 = Word(repeating: initial[1])
    private var h2 = Word(repeating: initial[2]), h3 = Word(repeating: initial[3])
    private var h4 = Word(repeating: initial[4]), h5 = Word(repeating: initial[5])
    private var h6 = Word(repeating: initial[6]), h7 = Word(repeating: initial[7])

    func chainingValue(_ lane: Int) -> ChainingValue {
        let words: SIMD8<UInt32> = [h0[lane], h1[lane], h2[lane], h3[lane], h4[lane], h5[lane], h6[lane], h7[lane]]
        var result = ChainingValue(words: words)
        for index in 0..<8 { result.words[index] = words[index].littleEndian }
        return result
    }

    /// Compresses one block in each lane.
    /// - Parameters:
    ///   - block: where a lane's block of 64 bytes is.
    ///   - counter: of the first lane; the others' follow, `counterStep` apart.
    ///   - length: how many of the bytes count.
    @inline(__always)
    mutating func compress(
        at block: (Int) -> UnsafeRawPointer, counter: UInt64, counterStep: UInt64, length: Int, flags: Flags
    ) {
        let (p0, p1, p2, p3) = (block(0), block(1), block(2), block(3))
        var low = Word()
        var high = Word()
        for lane in 0..<4 {
            let value = counter &+ counterStep &* UInt64(lane)
            low[lane] = UInt32(truncatingIfNeeded: value)
            high[lane] = UInt32(truncatingIfNeeded: value >> 32)
        }
        withUnsafeTemporaryAllocation(of: Word.self, capacity: 16) { message in
            for index in 0..<16 {
                message[index] = Word(
                    Self.load(p0, index), Self.load(p1, index), Self.load(p2, index), Self.load(p3, index))
            }
            Self.schedule.withUnsafeBufferPointer { schedule in
                rounds(
                    message.baseAddress!, schedule.baseAddress!, low, high, Word(repeating: UInt32(length)),
                    Word(repeating: flags.rawValue))
            }
        }
    }

    @inline(__always)
    private static func load(_ pointer: UnsafeRawPointer, _ index: Int) -> UInt32 {
        UInt32(littleEndian: pointer.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
    }

    @inline(never)
    private mutating func rounds(
        _ message: UnsafePointer<Word>, _ schedule: UnsafePointer<UInt8>, _ low: Word, _ high: Word, _ length: Word,
        _ flags: Word
    ) {
        var (v0, v1, v2, v3, v4, v5, v6, v7) = (h0, h1, h2, h3, h4, h5, h6, h7)
        var v8 = Word(repeating: Self.initial[0])
        var v9 = Word(repeating: Self.initial[1])
        var v10 = Word(repeating: Self.initial[2])
        var v11 = Word(repeating: Self.initial[3])
        var (v12, v13, v14, v15) = (low, high, length, flags)
        for round in 0..<7 {
            let order = schedule + round * 16
            @inline(__always) func m(_ index: Int) -> Word { message[Int(order[index])] }
            Self.mix(&v0, &v4, &v8, &v12, m(0), m(1))
            Self.mix(&v1, &v5, &v9, &v13, m(2), m(3))
            Self.mix(&v2, &v6, &v10, &v14, m(4), m(5))
            Self.mix(&v3, &v7, &v11, &v15, m(6), m(7))
            Self.mix(&v0, &v5, &v10, &v15, m(8), m(9))
            Self.mix(&v1, &v6, &v11, &v12, m(10), m(11))
            Self.mix(&v2, &v7, &v8, &v13, m(12), m(13))
            Self.mix(&v3, &v4, &v9, &v14, m(14), m(15))
        }
        (h0, h1, h2, h3) = (v0 ^ v8, v1 ^ v9, v2 ^ v10, v3 ^ v11)
        (h4, h5, h6, h7) = (v4 ^ v12, v5 ^ v13, v6 ^ v14, v7 ^ v15)
    }

    /// The quarter round.
    @inline(__always)
    private static func mix(_ a: inout Word, _ b: inout Word, _ c: inout Word, _ d: inout Word, _ x: Word, _ y: Word) {
        a = a &+ b &+ x
        d = rotate(d ^ a, 16)
        c = c &+ d
        b = rotate(b ^ c, 12)
        a = a &+ b &+ y
        d = rotate(d ^ a, 8)
        c = c &+ d
        b = rotate(b ^ c, 7)
    }

    /// Added, not or'ed: what looks like a rotation is taken apart into four scalar ones for want of a vector
    /// instruction, which is four times slower.
    @inline(__always)
    private static func rotate(_ word: Word, _ count: UInt32) -> Word {
        (word &>> Word(repeating: count)) &+ (word &<< Word(repeating: 32 - count))
    }
}
