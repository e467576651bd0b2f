import Kernel
import NixStore
import Synchronization

/// Takes roots from other processes while a collector runs.
///
/// A process that needs an object writes its path to the socket and waits for `1`. The answer comes between two
/// decisions of the collector, so that what is answered for either stays or is gone already.
final class RootServer: Sendable {
    /// The hashes of what is to stay. Held by the collector while it decides about an object and takes it away.
    let kept: Mutex<Set<String>>
    private let directory: StoreDirectory
    private let path: String
    private let thread: EventThread

    init(_ layout: StoreLayout, keeping kept: Set<String>) throws(KernelError) {
        self.kept = Mutex(kept)
        directory = layout.directory
        path = CollectorSocket.path(layout)
        let here = FileDescriptor.currentDirectory
        try here.makeDirectories(layout.state + "/gc-socket")
        try here.unlinkIfPresent(path)
        let listener = try Socket.listen(at: path, mode: 0o666, nonBlocking: true)
        thread = try EventThread()
        thread.post { [self] loop in
            _ = try? loop.watch(listener, .readable) { [self] _ in
                while let client = try? listener.accept(nonBlocking: true) { serve(client, on: loop) }
            }
        }
    }

    /// Stops listening; whoever waits for an answer asks again, or finds no collector.
    func stop() {
        try? FileDescriptor.currentDirectory.unlink(path)
        thread.shutDown()
    }

    private func serve(_ client: FileDescriptor, on loop: EventLoop) {
        var pending: [UInt8] = []
        var watch: EventLoop.Watch?
        watch = try? loop.watch(client, .readable) { [self] _ in
            do throws(KernelError) {
                let bytes = try client.read(count: 4096)
                if bytes.isEmpty || pending.count > 65536 {
                    if let watch { loop.forget(watch) }
                    return
                }
                pending += bytes
                while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                    let text = String(decoding: pending[..<end], as: UTF8.self)
                    pending.removeSubrange(...end)
                    if let path = try? directory.parse(text) {
                        kept.withLock { _ = $0.insert(String(path.hashPart)) }
                    }
                    // MSG_NOSIGNAL
                    _ = try client.send([UInt8(ascii: "1")], flags: 0x4000)
                }
            } catch {
                if error.code != .wouldBlock, let watch { loop.forget(watch) }
            }
        }
    }
}
