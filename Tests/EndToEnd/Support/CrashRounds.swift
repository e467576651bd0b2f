import Foundation

extension Daemon {
    /// Kills the daemon at a random moment while `script` runs several times over, and starts it again once they have
    /// come to their end.
    /// - Parameters:
    ///   - workers: their numbers, each one's `$1`.
    ///   - script: a shell script; `$d` is the command line of `dhow`, and once the file `$stop` is there it must end.
    ///   - milliseconds: how long the load lasts before the daemon is killed.
    func crash(under workers: ClosedRange<Int>, of script: String, after milliseconds: ClosedRange<UInt32>) throws {
        let stop = directory.file("stop")
        try? FileManager.default.removeItem(atPath: stop)
        let prelude = "d=\"\(Programs.dhow) -H unix://\(socket)\"; stop=\(stop)\n"
        let children = try workers.map { try Child(["/bin/sh", "-c", prelude + script, "load", String($0)]) }
        usleep(1000 * UInt32.random(in: milliseconds))
        crash()
        try Data().write(to: URL(fileURLWithPath: stop))
        for child in children { _ = try child.wait(timeout: 60) }
        try start()
    }
}
