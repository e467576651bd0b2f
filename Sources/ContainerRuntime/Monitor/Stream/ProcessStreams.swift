import Glibc
import Monitor

/// The standard streams of one process: reads its output once, and hands it to the log and to every client; feeds its
/// input from any client.
final class ProcessStreams {
    let isTerminal: Bool
    /// Whether the end of a client's input is the end of the process's (Docker's `StdinOnce`; always so for an exec).
    private let closesInputWithClient: Bool
    private let loop: EventLoop
    private let log: ContainerLog?
    private var input: InputPipe?
    private var sources: [OutputSource] = []
    private var clients: [StreamClient] = []
    private var terminal: Int32 = -1
    private var heldSlave: Int32 = -1
    private var isDraining = false
    private var drainTimer: Int?
    private var onDrained: () -> Void = {}

    /// Takes all descriptors of `ends`.
    init(
        _ ends: StreamEnds, closesInputWithClient: Bool, log: ContainerLog?, loop: EventLoop
    ) {
        isTerminal = ends.terminal != nil
        self.closesInputWithClient = closesInputWithClient
        self.loop = loop
        self.log = log
        if let descriptor = ends.input {
            let pipe = InputPipe(descriptor, loop: loop)
            pipe.onRoom = { [unowned self] in for client in clients { client.resumeInput() } }
            input = pipe
        }
        terminal = ends.terminal ?? -1
        heldSlave = ends.heldSlave ?? -1
        if let output = ends.output { add(OutputSource(output, stream: .stdout, loop: loop)) }
        if let error = ends.error { add(OutputSource(error, stream: .stderr, loop: loop)) }
        for source in sources { source.resume() }
    }

    private func add(_ source: OutputSource) {
        source.onOutput = { [unowned self, unowned source] in deliver($0, source.stream) }
        source.onPause = { [unowned self] in log?.flush() }
        source.onEnd = { [unowned self, unowned source] in
            log?.finish(source.stream)
            checkDrained()
        }
        sources.append(source)
    }

    private func deliver(_ bytes: UnsafeRawBufferPointer, _ stream: OutputStream) {
        log?.write(bytes, stream)
        // A client may close, and leave the list, while it is served.
        for client in clients { client.send(bytes, stream: stream) }
        if !isDraining, clients.contains(where: \.isFull) {
            for source in sources { source.pause() }
        }
    }

    /// Makes the connection `descriptor`, which it takes, a client.
    /// - Parameter first: the reply, which goes out before any output.
    func attach(_ descriptor: Int32, _ request: MonitorRequest.Attach, first: [UInt8]) {
        let client = StreamClient(descriptor, request, hasTerminal: isTerminal, first: first, loop: loop)
        client.onInput = { [unowned self] bytes in
            input?.write(bytes)
            return !(input?.isFull ?? false)
        }
        client.onInputEnd = { [unowned self, unowned client] in inputEnded(client) }
        client.onRoom = { [unowned self] in resumeOutput() }
        client.onClose = { [unowned self, unowned client] in
            clients.removeAll { $0 === client }
            resumeOutput()
            checkDrained()
        }
        clients.append(client)
        client.begin()
        if isDraining { client.endWhenEmpty() }
    }

    /// As dockerd does: the input is closed if it is this client's to close; otherwise the client is let go.
    private func inputEnded(_ client: StreamClient) {
        if closesInputWithClient, !isTerminal {
            input?.closeWhenEmpty()
        } else {
            client.endWhenEmpty()
        }
    }

    private func resumeOutput() {
        guard !isDraining, !clients.contains(where: \.isFull) else { return }
        for source in sources where source.isPaused { source.resume() }
    }

    func closeInput() {
        guard !isTerminal else { return }
        input?.closeWhenEmpty()
    }

    var hasInput: Bool { input != nil }

    /// - Returns: 0 or an errno.
    func resize(width: UInt16, height: UInt16) -> Int32 { Terminal.resize(terminal, width: width, height: height) }

    // MARK: The end

    /// The process has ended: reads what it left, for at most `milliseconds` if someone else still holds the other
    /// ends, and calls `done` when the log has it all and the clients' queues have it.
    func processEnded(waitingAtMost milliseconds: Int, _ done: @escaping () -> Void) {
        isDraining = true
        onDrained = done
        input?.close()
        for source in sources { source.drain() }
        // What a terminal holds is there at once; that its other users live on is normal.
        if isTerminal { closeSources() }
        for source in sources where !source.isOver { source.resume() }
        drainTimer = loop.after(milliseconds: milliseconds) { [unowned self] in
            for source in sources { source.drain() }
            closeSources()
        }
        checkDrained()
    }

    private func closeSources() {
        for source in sources { source.close() }
    }

    private func checkDrained() {
        guard isDraining, sources.allSatisfy(\.isOver), let timer = drainTimer else { return }
        loop.cancel(timer)
        drainTimer = nil
        let done = onDrained
        onDrained = {}
        // Not from inside a source's own callback.
        loop.after(milliseconds: 0, done)
    }

    /// Whether some client has not received everything yet.
    var hasClients: Bool { !clients.isEmpty }

    /// Lets every client go once it has received everything.
    func endClients() {
        for client in clients { client.endWhenEmpty() }
    }

    /// Closes everything at once.
    func close() {
        onDrained = {}
        if let drainTimer { loop.cancel(drainTimer) }
        drainTimer = nil
        for client in clients { client.close() }
        input?.close()
        closeSources()
        if terminal >= 0 { Glibc.close(terminal) }
        if heldSlave >= 0 { Glibc.close(heldSlave) }
        terminal = -1
        heldSlave = -1
    }
}
