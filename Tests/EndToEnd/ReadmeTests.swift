import Foundation
import Testing

/// Every command that the README shows is executed as written.
///
/// Blocks marked `console` are run line by line; what follows `$ ` is the command, and the lines under it must appear
/// in its output, where `…` stands for any text. `make` commands are left to the build that runs these tests.
@Suite(.enabled(if: !Programs.inVirtualMachine, "the virtual machine has no README")) struct ReadmeTests {
    @Test func everyCommandWorks() throws {
        let text = try String(contentsOfFile: Programs.repository + "/README.md", encoding: .utf8)
        let daemon = try Daemon()
        defer { daemon.tearDown() }
        let scratch = try ScratchDirectory("readme")
        let tar = try Shell.check([Programs.repository + "/scripts/debian-image", "debian"], timeout: 900).text
        try FileManager.default.createSymbolicLink(atPath: scratch.file("debian.tar"), withDestinationPath: tar)
        var commands: [(line: String, expected: [String])] = []
        for block in text.components(separatedBy: "```console\n").dropFirst() {
            for line in (block.components(separatedBy: "```").first ?? "").components(separatedBy: "\n") {
                if line.hasPrefix("$ ") {
                    commands.append((String(line.dropFirst(2)), []))
                } else if !line.isEmpty, !commands.isEmpty {
                    commands[commands.count - 1].expected.append(line)
                }
            }
        }
        #expect(commands.count > 5)
        let environment = [
            "PATH": Programs.directory + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? ""),
            "DOCKER_HOST": "unix://\(daemon.socket)",
        ]
        for (line, expected) in commands where !line.hasPrefix("make ") && !line.hasPrefix("sudo make ") {
            let output = try Shell.run(["/bin/bash", "-c", line], environment: environment, directory: scratch.path)
            #expect(output.status == 0, "\(line): \(output)")
            for pattern in expected {
                let pieces = pattern.components(separatedBy: "…").filter { !$0.isEmpty }
                let found = (output.stdout + output.stderr).components(separatedBy: "\n").contains { candidate in
                    pieces.allSatisfy { candidate.contains($0) }
                }
                #expect(found, "\(line) should print \(pattern): \(output)")
            }
        }
    }
}
