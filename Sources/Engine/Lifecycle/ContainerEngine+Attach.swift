import EngineModel
import Glibc
import Kernel
import Monitor

extension ContainerEngine {
    /// Attaches a client to a container's standard input and output.
    ///
    /// To one that does not run yet too, as clients do before they start it: the client's socket waits here, and the
    /// monitor gets it before the program's first byte.
    public func attach(_ name: String, _ options: AttachOptions) async throws -> Attachment {
        let container = try registry.find(name)
        let record = container.record
        if container.status.phase == .paused {
            throw EngineError(.conflict, "container \(container.id) is paused, unpause the container before attach")
        }
        if container.status.phase == .restarting {
            throw EngineError(.conflict, "container \(container.id) is restarting, wait until the container is running")
        }
        var attachment = Attachment(isTerminal: record.config.tty)
        if options.logs {
            var reading = LogReader.Options()
            reading.stdout = options.stdout
            reading.stderr = options.stderr
            reading.isFramed = !record.config.tty && !options.isRaw
            attachment.replay = try stream(reading, of: container, follows: false)
        }
        guard options.stream else { return attachment }
        var request = MonitorRequest.Attach(
            stdin: options.stdin && record.config.openStdin, stdout: options.stdout, stderr: options.stderr)
        if options.isRaw { request.isRaw = true }
        attachment.endsInput = request.stdin && record.config.stdinOnce && !record.config.tty
        if let run = container.run {
            do throws(MonitorError) {
                let stream = try await run.connection.attach(request)
                attachment.stream = ProcessStream(descriptor: stream.release(), isTerminal: stream.isTerminal)
            } catch {
                throw EngineError(error)
            }
        } else {
            attachment.stream = try wait(for: container, request)
        }
        post(container, "attach")
        return attachment
    }

    private func wait(for container: Container, _ request: MonitorRequest.Attach) throws(EngineError) -> ProcessStream {
        let mine: FileDescriptor
        let theirs: FileDescriptor
        do throws(KernelError) {
            (mine, theirs) = try Socket.pair(nonBlocking: true)
        } catch {
            throw EngineError(.system, "\(error)")
        }
        container.change { state in
            // Clients that left without starting it.
            state.waitingAttachments.removeAll { waiting in
                let isGone = Self.isHungUp(waiting.descriptor)
                if isGone { Glibc.close(waiting.descriptor) }
                return isGone
            }
            state.waitingAttachments.append(WaitingAttachment(descriptor: mine.release(), request: request))
        }
        return ProcessStream(descriptor: theirs.release(), isTerminal: container.record.config.tty)
    }

    private static func isHungUp(_ descriptor: CInt) -> Bool {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 0) == 1 && poller.revents & Int16(POLLHUP | POLLERR) != 0
    }

    /// Begins to wait for a container: from the return of this function no exit is missed.
    public func wait(_ name: String, _ condition: WaitCondition) async throws -> PendingWait {
        let container = try registry.find(name)
        switch condition {
        case .removed:
            return PendingWait { ContainerWaitResponse(statusCode: Int64(try await container.removal.get())) }
        case .notRunning, .nextExit:
            let (isActive, code, error, exit) = container.read { state in
                (state.status.isActive, state.status.exitCode, state.status.error, state.nextExit)
            }
            if condition == .notRunning, !isActive {
                return PendingWait {
                    ContainerWaitResponse(statusCode: Int64(code), error: error.isEmpty ? nil : error)
                }
            }
            return PendingWait {
                let outcome = try await exit.get()
                return ContainerWaitResponse(statusCode: Int64(outcome.exitCode), error: outcome.error)
            }
        }
    }

    public func resizeContainer(_ name: String, height: Int, width: Int) async throws {
        let container = try registry.find(name)
        let run = try runOf(container)
        let size = MonitorRequest.Resize(width: UInt16(clamping: width), height: UInt16(clamping: height))
        do throws(MonitorError) { try await run.connection.resize(size) } catch { throw EngineError(error) }
        post(container, "resize", ["height": "\(height)", "width": "\(width)"])
    }
}
