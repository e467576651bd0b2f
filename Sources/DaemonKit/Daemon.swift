import Engine
import EngineAPI
import Glibc
import JSON
import Kernel
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The running daemon: an engine, and the server in front of it.
final class Daemon: Sendable {
    private let configuration: DaemonConfiguration
    private let logger: Logger
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private struct Running {
        var engine: ContainerEngine
        var server: HTTPServer
        var api: DockerAPI
        /// Sockets in the file system that this daemon made.
        var socketPaths: [String]
    }
    private let running = Mutex<Running?>(nil)

    init(_ configuration: DaemonConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Opens the engine, then listens; returns when clients can come.
    func start() async throws {
        logger.info("Starting up")
        let activation = SocketActivation.take()
        let engine = try await ContainerEngine.open(configuration.engine, logger: logger)
        let api = DockerAPI(engine: engine, logger: logger)
        // What requests took from the heap is given back once nobody asks any more.
        let server = HTTPServer(
            group: group, commonHeaders: api.commonHeaders, whenQuiet: { ProcessMemory.releaseIdle() },
            responder: { await api.respond($0) })
        var paths: [String] = []
        do {
            for address in configuration.hosts {
                for socket in try listen(address, activation) {
                    if let path = socket.path { paths.append(path) }
                    try await server.serve(listeningOn: socket.descriptor)
                    logger.info("API listen on \(socket.path ?? "\(address)")")
                }
            }
        } catch {
            await server.stop(within: .zero)
            for path in paths { unlink(path) }
            await engine.close()
            throw error
        }
        let now = Running(engine: engine, server: server, api: api, socketPaths: paths)
        running.withLock { $0 = now }
        if let idleExit = configuration.idleExit { watchIdleness(idleExit, engine, server) }
        // What starting took is not needed to wait.
        ProcessMemory.releaseIdle()
        ServiceNotification.send("READY=1\nMAINPID=\(getpid())\n")
        logger.info("Daemon has completed initialization")
    }

    private func listen(_ address: ListenAddress, _ activation: SocketActivation) throws -> [ListeningSocket] {
        switch address {
        case .unix(let path):
            let group = geteuid() == 0 ? configuration.group : ""
            let socket = try ListeningSocket.unix(
                path: path, group: group, isGroupRequired: configuration.isGroupRequired && geteuid() == 0
            ) { logger.warning("\($0)") }
            return [socket]
        case .activated(let wanted): return try activation.select(wanted)
        case .tcp(let host, let port):
            logger.warning("\(address) has no protection: whoever reaches it is root on this machine")
            return [try ListeningSocket.tcp(host: host, port: port)]
        }
    }

    /// Stops taking requests, lets those in progress finish, and lets go of the engine. Containers run on.
    func stop() async {
        let running = running.withLock { running in
            defer { running = nil }
            return running
        }
        ServiceNotification.send("STOPPING=1\n")
        if let running {
            await running.server.stop(within: configuration.shutdownTimeout)
            await running.engine.close()
            for path in running.socketPaths { unlink(path) }
        }
        logger.info("Daemon shutdown complete")
    }

    /// Takes over what may change while the daemon runs.
    func reload(_ new: DaemonConfiguration) {
        DaemonLog.setLevel(new.logLevel)
        let running = running.withLock { $0 }
        let registries = new.engine.registries
        running?.api.settings.set(labels: new.engine.labels, debug: new.engine.debug)
        running?.engine.reconfigureRegistries(registries)
        func list(_ values: [String]) -> String { JSONValue.array(values.map { .string($0) }).serialized() }
        running?.engine.postReload([
            "debug": "\(new.engine.debug)", "labels": list(new.engine.labels), "live-restore": "true",
            "registry-mirrors": list(registries.mirrors), "insecure-registries": list(registries.insecureRegistries),
            "max-concurrent-downloads": "\(registries.maximumDownloads)",
            "max-concurrent-uploads": "\(registries.maximumUploads)",
            "max-download-attempts": "\(registries.maximumAttempts)",
        ])
        logger.info(
            "Reloaded configuration: labels, debug, log-level, registries and proxies; everything else needs a restart")
    }

    /// Asks the main thread to stop the daemon once nobody has needed it for `limit`.
    private func watchIdleness(_ limit: Duration, _ engine: ContainerEngine, _ server: HTTPServer) {
        let (seconds, attoseconds) = limit.components
        let limit = TimeAmount.nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        let interval = max(min(TimeAmount.nanoseconds(limit.nanoseconds / 4), .seconds(15)), .milliseconds(100))
        let lastNeeded = Mutex(NIODeadline.now())
        _ = group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { [logger] task in
            if engine.activeContainerCount > 0 || server.connectionCount > 0 {
                lastNeeded.withLock { $0 = .now() }
            } else if lastNeeded.withLock({ NIODeadline.now() - $0 }) >= limit, server.idleTime >= limit {
                task.cancel()
                logger.info("Nobody has been connected and no container has run for a while: leaving")
                SignalPipe.post(SIGTERM)
            }
        }
    }
}
