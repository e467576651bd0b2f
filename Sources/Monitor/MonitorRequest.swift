import JSON

/// What a monitor can be asked. Each has a function of the same name on `MonitorConnection`.
public enum MonitorRequest: Sendable, Equatable {
    /// Lets the created container's program run; answered once its exec succeeded.
    case start
    case signal(Signal)
    case resize(Resize)
    case pause
    case resume
    /// The OCI specification's `linux.resources` object.
    case update(resources: JSONValue)
    case exec(Exec)
    case attach(Attach)
    case state
    case subscribe
    case closeStdin(execID: String?)
    /// Kills the container if it still lives, records its exit, cleans up and leaves.
    case shutdown

    public struct Signal: JSONRecord {
        public var signal: Int32 = 15
        /// To every process of the container rather than its init.
        public var all = false
        /// To an exec's process rather than the init.
        public var execID: String?

        public var unknownMembers = JSONObject()
        public init() {}
        public init(_ signal: Int32, all: Bool = false, execID: String? = nil) {
            self.signal = signal
            self.all = all
            self.execID = execID
        }

        public mutating func members(_ json: inout JSONMembers) {
            json.required("signal", &signal)
            json.omitEmpty("all", &all)
            json.optional("execID", &execID)
        }
    }

    public struct Resize: JSONRecord {
        /// In characters.
        public var width: UInt16 = 0
        public var height: UInt16 = 0
        /// The exec whose terminal it is; `nil`: the container's.
        public var execID: String?

        public var unknownMembers = JSONObject()
        public init() {}
        public init(width: UInt16, height: UInt16, execID: String? = nil) {
            self.width = width
            self.height = height
            self.execID = execID
        }

        public mutating func members(_ json: inout JSONMembers) {
            json.required("width", &width)
            json.required("height", &height)
            json.optional("execID", &execID)
        }
    }

    /// Runs one more program in the container.
    public struct Exec: JSONRecord {
        public var execID = ""
        /// An OCI `process` object: args, env, cwd, user, capabilities, terminal …
        public var process = JSONValue.null
        /// Whether the program gets a standard input at all (else `/dev/null`); without an attached client it is open
        /// and empty.
        public var stdin = false
        /// Which outputs the connection becomes a stream of; all false: detached, and the connection stays as it is.
        public var attach: Attach?
        public var consoleWidth: UInt16 = 0
        public var consoleHeight: UInt16 = 0

        public var unknownMembers = JSONObject()
        public init() {}

        public mutating func members(_ json: inout JSONMembers) {
            json.required("execID", &execID)
            json.required("process", &process)
            json.omitEmpty("stdin", &stdin)
            json.optional("attach", &attach)
            json.omitEmpty("consoleWidth", &consoleWidth)
            json.omitEmpty("consoleHeight", &consoleHeight)
        }
    }

    /// Turns the connection into a stream of the container's (or a running exec's) standard input and output; or makes
    /// the socket that comes along with the request (SCM_RIGHTS) that stream, and leaves the connection as it is.
    ///
    /// After the reply the monitor sends raw bytes when there is a terminal, else Docker's frames (stream number 1 or
    /// 2, three zeros, length in four bytes big-endian); the client sends raw input, and ends it by shutting its side
    /// down.
    public struct Attach: JSONRecord {
        public var execID: String?
        public var stdin = false
        public var stdout = false
        public var stderr = false
        /// Whether the output comes raw rather than in frames; `nil`: when there is a terminal.
        public var isRaw: Bool?

        public var unknownMembers = JSONObject()
        public init() {}
        public init(stdin: Bool = false, stdout: Bool = false, stderr: Bool = false, execID: String? = nil) {
            self.stdin = stdin
            self.stdout = stdout
            self.stderr = stderr
            self.execID = execID
        }

        public mutating func members(_ json: inout JSONMembers) {
            json.optional("execID", &execID)
            json.omitEmpty("stdin", &stdin)
            json.omitEmpty("stdout", &stdout)
            json.omitEmpty("stderr", &stderr)
            json.optional("raw", &isRaw)
        }
    }
}
