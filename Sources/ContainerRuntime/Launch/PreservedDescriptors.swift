import Kernel

/// Descriptors that a caller hands through to the program.
enum PreservedDescriptors {
    /// - Throws: when one of the `count` descriptors from 3 on is not open.
    static func check(_ count: Int32) throws(RuntimeError) {
        for number in 0..<max(0, count) {
            do throws(KernelError) {
                _ = try FileDescriptor(borrowing: 3 + number).statusFlags
            } catch {
                throw RuntimeError(.usage, "unable to stat preserved-fd \(3 + number) (fd \(number)): \(error.code)")
            }
        }
    }
}
