import Archive
import Kernel
import Testing

@testable import ImageTransports

/// Files of 8 GiB and more in archives, without writing any.
@Suite struct LargeFileTests {
    /// The hash of what archive/tar of Go 1.27 writes for the same.
    @Test func headerIsGos() throws {
        var entry = TarEntry(
            path: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.tar", kind: .file, mode: 0o444)
        entry.size = 9 << 30
        let sink = MemorySink()
        var options = TarWriteOptions()
        options.writesExtendedHeadersAsGo = true
        try TarWriter(sink, options: options).begin(entry)
        #expect(sink.bytes.count == 1536)
        #expect(try sha256(sink.bytes).hex == "dfc786303b24042892b69acb7c7fdb472b9c1c0699c7722ec00d92a3b0fc4f66")
        #expect(try TarReader(MemorySource(sink.bytes)).next()?.size == 9 << 30)
    }

    @Test(arguments: [0, 1, 1024, pieceSize, 3 * pieceSize + 77])
    func contentMakesRoomForALongerHeader(_ count: Int) throws {
        let directory = try TemporaryDirectory()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        try directory.write("file", Array(repeating: 7, count: 512) + bytes)
        let file = try FileDescriptor.open(directory.file("file"), .readWrite)
        try file.moveBytes(at: 512, count: Int64(count), to: 1536)
        let moved = try file.pread(count: count + 1, at: 1536)
        #expect(moved == bytes)
        #expect(try file.pread(count: 512, at: 0) == Array(repeating: 7, count: 512))
    }
}
