import Glibc
import Kernel

/// The bytes on their way from one socket of a relay to the other.
///
/// Small messages are read and written at once; a bulk transfer goes through a pipe, by reference. At most one pipe,
/// or one buffer, waits for the target: a slow reader slows its writer down.
struct RelayDirection {
    enum Outcome { case open, finished, broken }

    /// What was read by copying and could not be written.
    private var leftOver: [UInt8] = []
    private var leftOverStart = 0
    private var pipe: Pipe?
    private var inPipe = 0
    /// How many of the last moves a buffer would have done for.
    private var smallMoves = 0
    private var isAtEnd = false
    private(set) var isFinished = false

    /// Something waits for the target to take more.
    var isBlocked: Bool { inPipe > 0 || leftOverStart < leftOver.count }
    var isReading: Bool { !isAtEnd && !isBlocked }

    /// Moves what can be moved without waiting, up to a fair share.
    /// - Returns: `.finished` once, when the source has ended and all is delivered.
    mutating func move(
        from source: FileDescriptor, to target: FileDescriptor, _ buffers: RelayBuffers, mayUsePipes: Bool
    ) -> Outcome {
        if isFinished { return .open }
        for _ in 0..<8 {
            guard flush(to: target) else { return .broken }
            if isBlocked { return .open }
            if isAtEnd {
                giveBackPipe(to: buffers)
                isFinished = true
                return .finished
            }
            let wasPiped = pipe != nil
            let result = wasPiped ? readIntoPipe(source) : copy(from: source, to: target, buffers.scratch)
            if result == -Int(EAGAIN) { return .open }
            if result < 0 { return .broken }
            if result == 0 {
                isAtEnd = true
                continue
            }
            adapt(result, buffers, mayUsePipes)
            // The rest, if any, is announced again.
            if result < RelayBuffers.scratchSize {
                guard flush(to: target) else { return .broken }
                return .open
            }
        }
        return .open
    }

    private mutating func readIntoPipe(_ source: FileDescriptor) -> Int {
        guard let pipe else { return 0 }
        let result = source.splice(to: pipe.writeEnd, count: RelayBuffers.pipeSize)
        if result > 0 { inPipe += result }
        return result
    }

    private mutating func copy(
        from source: FileDescriptor, to target: FileDescriptor, _ scratch: UnsafeMutableRawBufferPointer
    ) -> Int {
        let result = source.receive(into: scratch)
        guard result > 0 else { return result }
        let sent = target.send(UnsafeRawBufferPointer(rebasing: scratch[..<result]))
        if sent < 0 && sent != -Int(EAGAIN) { return sent }
        if sent < result {
            leftOver = Array(scratch[max(sent, 0)..<result])
            leftOverStart = 0
        }
        return result
    }

    private mutating func adapt(_ size: Int, _ buffers: RelayBuffers, _ mayUsePipes: Bool) {
        if pipe == nil {
            if mayUsePipes && size == RelayBuffers.scratchSize { pipe = buffers.takePipe() }
            smallMoves = 0
        } else if size >= RelayBuffers.scratchSize / 4 {
            smallMoves = 0
        } else {
            smallMoves += 1
            if smallMoves > 16 && inPipe == 0 { giveBackPipe(to: buffers) }
        }
    }

    /// - Returns: `false`: the target is broken.
    private mutating func flush(to target: FileDescriptor) -> Bool {
        while leftOverStart < leftOver.count {
            let sent = leftOver.withUnsafeBytes { target.send(UnsafeRawBufferPointer(rebasing: $0[leftOverStart...])) }
            if sent == -Int(EAGAIN) { return true }
            guard sent >= 0 else { return false }
            leftOverStart += sent
        }
        if !leftOver.isEmpty {
            leftOver = []
            leftOverStart = 0
        }
        while inPipe > 0, let pipe {
            let sent = pipe.readEnd.splice(to: target, count: inPipe)
            if sent == -Int(EAGAIN) { return true }
            guard sent > 0 else { return false }
            inPipe -= sent
        }
        return true
    }

    /// A pipe with something in it is closed instead.
    mutating func giveBackPipe(to buffers: RelayBuffers) {
        if let pipe, inPipe == 0 { buffers.giveBack(pipe) }
        pipe = nil
        inPipe = 0
    }
}
