import Archive
import Kernel
import Synchronization

/// Copies all below one directory into another one with owners, modes, times, links, devices and attributes: packed
/// by one thread, unpacked by another.
func copyTree(from source: FileDescriptor, to target: FileDescriptor) throws {
    try stream { sink in
        let writer = TarWriter(sink)
        try TreePacker().packContents(of: source, into: writer)
        try writer.finish()
    } into: { input in
        _ = try TarUnpacker(into: target, options: UnpackOptions()).unpack(input)
    }
    // The entry of the top itself is not in the archive.
    let status = try source.status()
    try target.changeOwner(userID: status.userID, groupID: status.groupID)
    try target.changeMode(status.permissions)
    try target.setTimes(accessed: nil, modified: status.modified)
}

/// Runs `produce` on a thread of its own, and `consume` here, with a pipe between them.
func stream(
    _ produce: @escaping @Sendable (any ByteSink) throws -> Void, into consume: (any ByteSource) throws -> Void
) throws {
    let ends = try Pipe()
    let (input, output) = (ends.readEnd, ends.writeEnd)
    let failure = Mutex<(any Error)?>(nil)
    let producer = Thread.start {
        do {
            let sink = DescriptorSink(output)
            try produce(sink)
            try sink.finish()
        } catch { failure.withLock { $0 = error } }
        // The reader's end of file; nothing is buffered in a pipe's descriptor that could get lost.
        try? output.close()
    }
    guard let producer else { throw StorageError(.system, "cannot start a thread to copy files") }
    var consumption: (any Error)?
    do { try consume(DescriptorSource(input)) } catch { consumption = error }
    // A producer that still writes gets EPIPE and ends.
    try? input.close()
    producer.join()
    // A broken pipe only follows from the consumer's failure, and a truncated stream from the producer's.
    let production = failure.withLock { $0 }
    if let consumption, let kernel = production as? KernelError, kernel.code == .brokenPipe { throw consumption }
    if let production { throw production }
    if let consumption { throw consumption }
}
