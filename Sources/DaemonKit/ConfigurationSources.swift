import CommandLineKit
import Glibc

// Where the configuration comes from: the command line, the file, the environment.

func leave(_ message: String, _ status: CInt = 1) -> Never {
    let line = Array((message + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(status)
}

func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// Reads the command line and the configuration file.
func readConfiguration(_ arguments: [String]) throws(ConfigurationError) -> DaemonAction {
    let defaults = try DefaultPaths(isRoot: geteuid() == 0, environment: variable)
    guard let flags = try DaemonFlags(defaults: defaults).parse(arguments) else {
        return .help(DaemonFlags(defaults: defaults).help())
    }
    if flags.version.value { return .version }
    if let text = try readFile(flags.configFile.value, isRequired: flags.configFile.isSet) {
        try flags.merge(file: flags.configFile.value, text)
    }
    let configuration = try flags.configuration()
    return flags.validate.value ? .validate : .run(configuration)
}

/// The configuration file's content; `nil` when there is none and none is required.
func readFile(_ path: String, isRequired: Bool) throws(ConfigurationError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
        if errno == ENOENT && !isRequired { return nil }
        throw ConfigurationError(
            "unable to configure the daemon with file \(path): open \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while content.count < 16 << 20 {
        let count = read(descriptor, &buffer, buffer.count)
        guard count >= 0 else {
            throw ConfigurationError(
                "unable to configure the daemon with file \(path): read \(path): \(String(cString: strerror(errno)))")
        }
        if count == 0 { return content }
        content += buffer[..<count]
    }
    throw ConfigurationError("unable to configure the daemon with file \(path): it is longer than 16 MiB")
}

/// The program `dhow-runtime`: beside this one, or on the path.
func findRuntime() -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    var directories = (variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init)
    if count > 0 {
        let own = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if let slash = own.lastIndex(of: "/") { directories.insert(String(own[..<slash]), at: 0) }
    }
    return directories.map { $0 + "/dhow-runtime" }.first { access($0, X_OK) == 0 }
}
