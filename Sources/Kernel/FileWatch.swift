import CKernel
import Glibc

/// Changes of files as a descriptor (`inotify`).
public struct FileWatch: Sendable {
    public let descriptor: FileDescriptor

    public struct Mask: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let modified = Self(rawValue: 2)
        public static let attributes = Self(rawValue: 4)
        public static let closedAfterWriting = Self(rawValue: 8)
        public static let movedFrom = Self(rawValue: 0x40)
        public static let movedTo = Self(rawValue: 0x80)
        public static let created = Self(rawValue: 0x100)
        public static let deleted = Self(rawValue: 0x200)
        public static let selfDeleted = Self(rawValue: 0x400)
        public static let selfMoved = Self(rawValue: 0x800)
        /// The queue overflowed: look at everything again.
        public static let overflow = Self(rawValue: 0x4000)
        /// The watch is gone.
        public static let ignored = Self(rawValue: 0x8000)
    }

    public struct Event: Sendable {
        public let watch: Int32
        public let mask: Mask
        /// In a watched directory: which file.
        public let name: String
    }

    /// Reading does not block.
    public init() throws(KernelError) {
        descriptor = FileDescriptor(
            owning: Int32(try call("make a file watch") { ck_inotify_init(0o2000000 | O_NONBLOCK) }))
    }

    /// - Returns: the number of the watch.
    public func add(_ path: some PathName, _ mask: Mask) throws(KernelError) -> Int32 {
        Int32(try call("watch", path: path) { ck_inotify_add_watch(descriptor.rawValue, $0, mask.rawValue) })
    }

    public func remove(_ watch: Int32) throws(KernelError) {
        try call("stop watching") { ck_inotify_rm_watch(descriptor.rawValue, watch) }
    }

    /// What has happened; empty for nothing.
    public func events() throws(KernelError) -> [Event] {
        let bytes: [UInt8]
        do throws(KernelError) { bytes = try descriptor.read(count: 16 << 10) } catch {
            if error.code == .wouldBlock { return [] }
            throw error
        }
        var events: [Event] = []
        var position = 0
        // struct inotify_event: wd 4, mask 4, cookie 4, len 4, name.
        while position + 16 <= bytes.count {
            func field(_ offset: Int) -> UInt32 {
                bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position + offset, as: UInt32.self) }
            }
            let end = min(position + 16 + Int(field(12)), bytes.count)
            let name = bytes[(position + 16)..<end].prefix { $0 != 0 }
            events.append(
                Event(
                    watch: Int32(bitPattern: field(0)), mask: Mask(rawValue: field(4)),
                    name: String(decoding: name, as: UTF8.self)))
            position = end
        }
        return events
    }
}
