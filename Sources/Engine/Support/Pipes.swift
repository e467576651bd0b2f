import Kernel
import NIOCore

extension BlockingWork {
    private static func makePipe() throws(EngineError) -> Pipe {
        do throws(KernelError) {
            let pipe = try Pipe()
            // Instead of 64 KiB: fewer changes between the two threads. A refusal only costs speed.
            try? pipe.writeEnd.setPipeSize(1 << 20)
            return pipe
        } catch {
            throw EngineError(.system, "\(error)")
        }
    }

    /// Runs a producer that writes into a pipe, and gives what it writes as a stream.
    ///
    /// Its error ends the stream. When the stream is dropped, the producer's next write fails.
    func stream(_ produce: @escaping @Sendable (FileDescriptor) throws -> Void) throws(EngineError) -> ByteStream {
        let pipe = try Self.makePipe()
        let outcome = AsyncValue<Result<Void, EngineError>>()
        Self.detach {
            do {
                try produce(pipe.writeEnd)
                outcome.set(.success(()))
            } catch {
                outcome.set(.failure(EngineError(wrapping: error)))
            }
            try? pipe.writeEnd.close()
        }
        let reading = pipe.readEnd
        return ByteStream { [self] in
            let bytes = try await runLongRead(reading)
            if let bytes { return bytes }
            try await outcome.get().get()
            return nil
        }
    }

    private func runLongRead(_ descriptor: FileDescriptor) async throws -> ByteBuffer? {
        try await run {
            var buffer = ByteBufferAllocator().buffer(capacity: 256 << 10)
            let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 256 << 10) { space in
                try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: space[..<(256 << 10)]))
            }
            return count == 0 ? nil : buffer
        }
    }

    /// Runs a consumer that reads what `input` gives from a pipe.
    func consume<Result: Sendable>(
        _ input: ByteInput, _ body: @escaping @Sendable (FileDescriptor) throws -> Result
    ) async throws -> Result {
        let pipe = try Self.makePipe()
        let writing = pipe.writeEnd
        let reading = pipe.readEnd
        let feeder = Task { [self] in
            // Closing is what tells the consumer that there is no more; also when the input broke off, which it then
            // finds to be truncated.
            defer { try? writing.close() }
            for try await chunk in input {
                try await run { try chunk.withUnsafeReadableBytes { try writing.writeAll($0) } }
            }
        }
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(
                try await withTaskCancellationHandler {
                    try await runLong {
                        // The feeder's write fails from here on instead of waiting for ever.
                        defer { try? reading.close() }
                        return try body(reading)
                    }
                } onCancel: {
                    feeder.cancel()
                })
        } catch {
            result = .failure(error)
        }
        feeder.cancel()
        let feeding = await feeder.result
        // An interrupted input is the cause, and what the consumer says of it only a consequence.
        if case .failure(let failure) = result {
            if case .failure(let cause) = feeding, !(cause is CancellationError), !(cause is KernelError) {
                throw cause
            }
            throw failure
        }
        return try result.get()
    }
}
