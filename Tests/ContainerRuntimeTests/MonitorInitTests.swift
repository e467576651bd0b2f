import Foundation
import Glibc
import Testing

@Suite(.enabled(if: Programs.canRun), .timeLimit(.minutes(1))) struct MonitorInitTests {
    /// Runs `dhow-runtime init` and returns its exit status and output.
    private func initProgram(_ arguments: String..., signal: Int32? = nil) throws -> (Int32, String) {
        let process = Foundation.Process()
        process.executableURL = URL(fileURLWithPath: try #require(Programs.runtime))
        process.arguments = ["init"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        // The threads that tests run on block signals; a program would inherit that.
        var none = sigset_t()
        var former = sigset_t()
        pthread_sigmask(SIG_SETMASK, &none, &former)
        let result = Result { try process.run() }
        pthread_sigmask(SIG_SETMASK, &former, nil)
        try result.get()
        if let signal {
            // The program says when it is ready.
            _ = pipe.fileHandleForReading.availableData
            kill(process.processIdentifier, signal)
        }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    @Test func endsAsItsProgramDoes() throws {
        #expect(try initProgram("--", "sh", "-c", "echo hi; exit 7") == (7, "hi\n"))
        #expect(try initProgram("sh", "-c", "kill -9 $$").0 == 137)
        #expect(try initProgram("-e", "143", "--", "sh", "-c", "kill -15 $$").0 == 0)
    }

    @Test func namesWhatCannotRun() throws {
        #expect(try initProgram("--", "/none/such").0 == 127)
        #expect(try initProgram("--", "/etc/passwd").0 == 126)
        #expect(try initProgram().0 == 1)
        #expect(try initProgram("-z", "true").0 == 1)
        #expect(try initProgram("-p", "NONE", "true").0 == 1)
    }

    @Test func handsSignalsOn() throws {
        let script = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
        let (code, output) = try initProgram("sh", "-c", script, signal: SIGTERM)
        #expect(code == 3)
        #expect(output == "caught\n")
        #expect(try initProgram("sh", "-c", "echo ready; exec sleep 50", signal: SIGUSR1).0 == 138)
    }

    @Test func reapsOrphans() throws {
        // The inner shell ends at once; its child becomes the init's.
        let script = "sh -c 'sleep 0.1 & echo $!' ; sleep 0.5; ps -o stat= --ppid $PPID | grep -c Z"
        let (_, output) = try initProgram("-s", "--", "sh", "-c", script)
        #expect(output.split(separator: "\n").last == "0")
    }
}
