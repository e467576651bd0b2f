import CKernel
import Glibc

/// The memory of this process, for programs that sleep most of their life.
public enum ProcessMemory {
    private static let pageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))

    /// Gives back what a program that has done its work for now does not need: free heap, and the pages of program
    /// text that stay mapped from its start. What is needed again comes from the page cache, a few microseconds a piece.
    public static func releaseIdle() {
        ckernel_trim_heap()
        // Mapped text counts as in use when the kernel looks for memory to take back, for as long as it stays mapped.
        // Only of text: of a segment that can be written to, this would throw away what was written.
        ckernel_each_text_segment { address, length in
            let page = UInt(bitPattern: address) / ProcessMemory.pageSize * ProcessMemory.pageSize
            let end = UInt(bitPattern: address) + UInt(length)
            let text = UnsafeMutableRawPointer(bitPattern: page)
            // Where the page cache holds the program in pages of 2 MB, one touch would map all of one again.
            madvise(text, Int(end - page), MADV_NOHUGEPAGE)
            madvise(text, Int(end - page), MADV_DONTNEED)
        }
    }

    /// Gives back the main thread's stack below the caller's frame, as deep calls left it. For that thread only.
    public static func releaseMainStack() {
        var here: UInt = 0
        let frame = withUnsafeMutablePointer(to: &here) { UInt(bitPattern: $0) }
        // A page for this call itself; below, the kernel keeps a gap of 1 MiB free of anything else.
        let to = frame / pageSize * pageSize - pageSize
        madvise(UnsafeMutableRawPointer(bitPattern: to - 1 << 20), 1 << 20, MADV_DONTNEED)
    }
}
