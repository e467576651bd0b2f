import CommandLineKit
import Engine
import EngineAPI

/// Everything that the command line and the configuration file decide.
package struct DaemonConfiguration: Sendable {
    package var engine = EngineConfiguration()
    package var hosts: [ListenAddress] = []
    /// The group that may use unix sockets.
    package var group = "docker"
    /// Whether that group was asked for by name: then it must exist.
    package var isGroupRequired = false
    package var allowsInsecureTCP = false
    package var pidFile = ""
    package var logLevel = DaemonLog.Level.info
    package var logsJSON = false
    /// Leave when nobody has been connected and no container has run for so long; `nil` for never.
    package var idleExit: Duration?
    /// How long requests in progress may take when the daemon is asked to leave.
    package var shutdownTimeout = Duration.seconds(15)
    /// The configuration file, whether there is one or not.
    package var file = ""
}

/// What the command line asks for.
package enum DaemonAction: Sendable {
    case run(DaemonConfiguration)
    /// Check the configuration and leave.
    case validate
    case version
    case help(String)
}

/// A configuration that the daemon does not start with.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String
    package init(_ message: String) { self.message = message }
    package var description: String { message }
}

/// Where things are when nothing else is said: the system's places for root, the user's for others (the XDG base
/// directory specification).
package struct DefaultPaths: Sendable, Equatable {
    package var dataRoot: String
    package var execRoot: String
    package var configurationFile: String

    package init(isRoot: Bool, environment: (String) -> String?) throws(ConfigurationError) {
        if isRoot {
            dataRoot = "/var/lib/dhow"
            execRoot = "/run/dhow"
            configurationFile = "/etc/dhow/daemon.json"
            return
        }
        func directory(_ variable: String, _ fallback: String) throws(ConfigurationError) -> String {
            if let value = environment(variable), value.hasPrefix("/") { return value + "/dhow" }
            guard let home = environment("HOME"), home.hasPrefix("/") else {
                throw ConfigurationError("cannot find a place for the data: neither \(variable) nor HOME is set")
            }
            return home + "/" + fallback + "/dhow"
        }
        dataRoot = try directory("XDG_DATA_HOME", ".local/share")
        execRoot = try directory("XDG_RUNTIME_DIR", ".dhow/run")
        configurationFile = try directory("XDG_CONFIG_HOME", ".config") + "/daemon.json"
    }
}
