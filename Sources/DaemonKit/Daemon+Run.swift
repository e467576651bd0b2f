import Glibc
import Logging
import Synchronization

/// Runs the daemon until a signal ends it. This thread, the main one, does nothing but wait for signals.
func run(_ configuration: DaemonConfiguration, arguments: [String], logger: Logger) -> Never {
    let signals: SignalPipe
    let pidFile: PIDFile
    do throws(ConfigurationError) {
        pidFile = try PIDFile(path: configuration.pidFile)
        signals = try SignalPipe([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE])
    } catch {
        leave("failed to start daemon: \(error.message)")
    }
    // The directory that the daemon was started in must not be kept busy.
    chdir("/")

    /// Posted when the daemon could not start, or has stopped.
    let ended: CInt = 0xFF
    let failure = Failure()
    let daemon = Daemon(configuration, logger: logger)
    Task.detached {
        do {
            try await daemon.start()
        } catch {
            failure.message.withLock { $0 = "\(error)" }
            SignalPipe.post(ended)
        }
    }

    var isStopping = false
    loop: while true {
        switch signals.next() {
        case SIGTERM, SIGINT:
            // The second one does not wait for anybody.
            if isStopping { break loop }
            isStopping = true
            logger.info("Processing signal: leaving; containers run on")
            Task.detached {
                await daemon.stop()
                SignalPipe.post(ended)
            }
        case SIGHUP:
            ServiceNotification.send("RELOADING=1\n")
            do throws(ConfigurationError) {
                if case .run(let new) = try readConfiguration(arguments) { daemon.reload(new) }
            } catch {
                logger.error("cannot reload the configuration: \(error.message)")
            }
            ServiceNotification.send("READY=1\n")
        case ended: break loop
        default: break
        }
    }
    pidFile.remove()
    if let message = failure.message.withLock({ $0 }) {
        logger.critical("failed to start daemon: \(message)")
        exit(1)
    }
    exit(0)
}

/// Why the daemon could not start.
private final class Failure: Sendable {
    let message = Mutex<String?>(nil)
}
