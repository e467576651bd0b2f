import Kernel

/// Finds the program to execute, as execvp(3) would inside the container, and tells the two ways of failing apart.
enum ExecutableSearch {
    static func find(_ name: String, in environment: [String]) throws -> String {
        if name.contains("/") {
            try check(name, shown: name)
            return name
        }
        let path = environment.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? ""
        var refusal: RuntimeError?
        // A relative directory would be searched in a place that the caller did not mean.
        for directory in path.split(separator: ":") where !name.isEmpty && directory.hasPrefix("/") {
            let candidate = directory + "/" + name
            do {
                try check(candidate, shown: name)
                return candidate
            } catch let error as RuntimeError {
                if error.code == .commandNotExecutable, refusal == nil { refusal = error }
            }
        }
        throw refusal
            ?? RuntimeError(
                .commandNotFound,
                "unable to start container process: exec: \"\(name)\": executable file not found in $PATH")
    }

    private static func check(_ path: String, shown name: String) throws {
        let prefix = "unable to start container process: exec: \"\(name)\": "
        let status: FileStatus
        do throws(KernelError) {
            status = try FileDescriptor.currentDirectory.status(of: path, followLinks: true)
        } catch {
            switch error.code {
            case .notFound:
                throw RuntimeError(.commandNotFound, prefix + "stat \(path): no such file or directory")
            case .notDirectory:
                throw RuntimeError(.commandNotExecutable, prefix + "stat \(path): not a directory")
            default:
                throw RuntimeError(.commandNotExecutable, prefix + "stat \(path): \(error.code.description)")
            }
        }
        if status.isDirectory { throw RuntimeError(.commandNotExecutable, prefix + "is a directory") }
        guard status.permissions & 0o111 != 0, FileDescriptor.currentDirectory.isAccessible(path, mode: 1) else {
            throw RuntimeError(.commandNotExecutable, prefix + "permission denied")
        }
    }

    /// What a refused exec means. `ENOENT` of a file that exists is its interpreter's.
    static func error(executing path: String, _ error: any Error) -> any Error {
        guard let error = error as? KernelError else { return error }
        let code: RuntimeError.Code =
            switch error.code {
            case .notFound: .commandNotFound
            default: .commandNotExecutable
            }
        return RuntimeError(
            code, "unable to start container process: exec \(path): \(error.code.description)",
            errno: error.code.rawValue)
    }
}
