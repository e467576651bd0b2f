import CKernel
import Engine
import Glibc
import Logging

/// The program `dhowd`: reads its command line, and is the daemon until it is told to leave.
public func runDaemonProgram(_ arguments: [String]) -> Never {
    // The daemon's threads mostly wait, and each arena keeps what it once took.
    ckernel_limit_arenas(2)
    umask(0o022)
    // Whoever started this may have blocked signals; blocked, none of them could end it.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)

    var configuration: DaemonConfiguration
    do throws(ConfigurationError) {
        switch try readConfiguration(arguments) {
        case .run(let wanted): configuration = wanted
        case .validate:
            print("configuration OK")
            exit(0)
        case .version:
            print("Dhow version \(EngineConfiguration().version)")
            exit(0)
        case .help(let text):
            print(text, terminator: "")
            exit(0)
        }
    } catch {
        leave(error.message)
    }
    guard let runtime = findRuntime() else {
        leave(
            "failed to start daemon: cannot find the program dhow-runtime beside dhowd or on the path; install it there"
        )
    }
    configuration.engine.runtimePath = runtime

    DaemonLog.setLevel(configuration.logLevel)
    LoggingSystem.bootstrap { [isJSON = configuration.logsJSON] _ in DaemonLog(isJSON: isJSON) }
    run(configuration, arguments: arguments, logger: Logger(label: "dhowd"))
}
