import Monitor

/// Where lines go. Writing never throws: what cannot be written is counted, told once, and lost, because a container
/// must not stop for its log.
package protocol LogDriver: AnyObject {
    /// Takes one line without its newline, or one piece of a long line.
    func write(_ line: UnsafeRawBufferPointer, _ stream: OutputStream, time: Int64, _ partial: PartialLine?)
    /// What was taken must leave this process now.
    func flush()
    /// Memory that only speeds up a busy log goes.
    func releaseBuffers()
    func close()
}

/// A container's log: its outputs cut into lines and given to a driver.
package final class ContainerLog {
    private let driver: any LogDriver
    private var stdout = LineSplitter()
    private var stderr = LineSplitter()

    package init(_ driver: any LogDriver) { self.driver = driver }

    package func write(_ bytes: UnsafeRawBufferPointer, _ stream: OutputStream) {
        let time = Clock.now()
        let driver = driver
        switch stream {
        case .stdout: stdout.split(bytes, time: time) { driver.write($0, .stdout, time: $1, $2) }
        case .stderr: stderr.split(bytes, time: time) { driver.write($0, .stderr, time: $1, $2) }
        }
    }

    /// One output is over.
    package func finish(_ stream: OutputStream) {
        let time = Clock.now()
        let driver = driver
        switch stream {
        case .stdout: stdout.finish(time: time) { driver.write($0, .stdout, time: $1, $2) }
        case .stderr: stderr.finish(time: time) { driver.write($0, .stderr, time: $1, $2) }
        }
        driver.flush()
    }

    package func flush() { driver.flush() }
    func releaseBuffers() { driver.releaseBuffers() }

    package func close() {
        driver.flush()
        driver.close()
    }

    /// Opens the log that `configuration` asks for; `nil`: there is none.
    package static func open(_ configuration: MonitorConfiguration, loop: EventLoop) throws(MonitorError)
        -> ContainerLog?
    {
        let log = configuration.log
        switch log.driver {
        case .none: return nil
        case .jsonFile, .local:
            guard let path = log.path else {
                throw MonitorError(.invalidArgument, "the log driver \(log.driver.rawValue) needs a path")
            }
            let isLocal = log.driver == .local
            let limits = RotatingFile.Limits(
                maxSize: log.maxSize > 0 ? log.maxSize : isLocal ? 20 << 20 : 0,
                maxFiles: log.maxFiles > 0 ? log.maxFiles : isLocal ? 5 : 1,
                compresses: log.compress ?? isLocal)
            let file = try RotatingFile(path, limits, loop: loop)
            var attributes = log.attributes
            if let tag = log.tag { attributes["tag"] = tag }
            return ContainerLog(JSONFileLog(file, attributes: attributes))
        case .journald: return ContainerLog(try JournalLog(configuration))
        case .syslog: return ContainerLog(try SyslogLog(configuration))
        }
    }
}
