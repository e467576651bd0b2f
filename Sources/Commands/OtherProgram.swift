import Glibc
import Kernel

/// The programs beside `dhow` that do what would make it heavy.
enum OtherProgram {
    /// Becomes the program: beside this one, or on the path.
    /// - Parameter name: what it is called by (`argv[0]`), which tells it what to be.
    /// - Returns: 127, when it cannot be executed.
    static func execute(_ program: String, as name: String, _ arguments: [String]) -> Int32 {
        var words: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) }
        words.append(nil)
        for directory in directories { execv("\(directory)/\(program)", words) }
        Output.error("dhow: cannot execute \(program): it is neither beside dhow nor on the path")
        return 127
    }

    private static var directories: [String] {
        var directories = (getenv("PATH").map { String(cString: $0) } ?? "").splitBytes(":").map(String.init)
        if let own = try? FileDescriptor.currentDirectory.readLinkText("/proc/self/exe"),
            let slash = own.utf8.lastIndex(of: UInt8(ascii: "/"))
        {
            directories.insert(String(own[..<slash]), at: 0)
        }
        return directories
    }
}
