import EngineAPI
import NIOCore
import Synchronization
import Testing

@Suite struct BodyTests {
    /// What comes while the connection is about to stop must not end the pause that nobody would end again.
    @Test func aPauseEndsOnlyWhenTheConsumerHasCaughtUp() async throws {
        let drained = Counter()
        let body = HTTPBody(announcedLength: nil) {
        } whenDrained: {
            drained.value.add(1, ordering: .relaxed)
        }
        let piece = ByteBuffer(repeating: 65, count: HTTPBody.highWatermark / 4)
        let mayContinue = (0..<4).map { _ in body.append(piece) }
        #expect(mayContinue == [true, true, true, false])
        _ = try await body.next()
        #expect(!body.append(ByteBuffer(repeating: 66, count: 10)))
        #expect(drained.value.load(ordering: .relaxed) == 0)
        for _ in 0..<4 { _ = try await body.next() }
        #expect(drained.value.load(ordering: .relaxed) == 1)
        #expect(body.append(piece))
    }

    private final class Counter: Sendable {
        let value = Atomic(0)
    }
}
