import JSON
import Kernel
import NixStore
import OCI

/// The kernel does not let this process make a sandbox.
struct SandboxUnavailable: Error {
    let reason: String
}

/// Runs a program in a sandbox, with `dhow-runtime run` between: the container dies with it, and it with this process.
struct SandboxRun {
    let sandbox: Sandbox
    let settings: BuildSettings
    let isCancelled: () -> Bool

    func run(_ program: Sandbox.Program, log: BuildLog) throws -> BuilderProcess.End {
        let here = FileDescriptor.currentDirectory
        let bundle = sandbox.root.bundle
        try here.writeFile(
            bundle + "/config.json", sandbox.specification(program).json.bytes(), creating: true, mode: 0o600)
        let problems = bundle + "/runtime.log"
        let configuration = Subprocess.Configuration(
            settings.runtime,
            arguments: [
                settings.runtime, "--root", bundle + "/state", "--rootless", "true", "--log", problems, "run",
                "--die-with-parent", "--no-new-keyring", "--executable", program.executable, "--bundle", bundle,
                "dhow-build-\(randomHexadecimal(bytes: 8))",
            ], environment: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
        let end: BuilderProcess.End
        do {
            end = try BuilderProcess(settings: settings, isCancelled: isCancelled).run(
                configuration, owner: sandbox.user, log: log)
        } catch let error as KernelError where error.operation == "start" {
            throw SandboxUnavailable(reason: "the program that makes containers does not start: \(error)")
        }
        guard case .exited(let status) = end, status.code == 1, here.exists(problems) else { return end }
        let text = try here.readText(problems)
        guard let failure = text.split(separator: "\n").last(where: { $0.contains("run failed: ") }) else { return end }
        let marker = "unable to start container process: "
        if let at = failure.range(ofText: marker) {
            let reason = failure[at.upperBound...].split(separator: ": ").last.map { $0.filter { $0 != "\"" } } ?? ""
            throw BuildError(.failed, "executing '\(program.executable)': \(reason)")
        }
        let reason =
            failure.range(ofText: "run failed: ").map { failure[$0.upperBound...].filter { $0 != "\\" } }
            ?? failure[...]
        throw SandboxUnavailable(reason: reason.hasSuffix("\"") ? String(reason.dropLast()) : String(reason))
    }
}

extension Substring {
    fileprivate func range(ofText text: String) -> Range<Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
            at = index(after: at)
        }
        return nil
    }
}
