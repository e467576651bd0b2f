import JSON
import Kernel
import NixLocalStore
import NixStore

/// `store ls`: what is in an object, as `nix store ls` prints it.
struct StoreListing {
    let session: StoreSession
    let isLong: Bool
    let isRecursive: Bool
    let showsDirectory: Bool
    private let source = DirectorySource()

    init(session: StoreSession, isLong: Bool, isRecursive: Bool, showsDirectory: Bool) {
        self.session = session
        self.isLong = isLong
        self.isRecursive = isRecursive
        self.showsDirectory = showsDirectory
    }

    func run(_ argument: String, json: Bool) throws {
        let (path, rest) = try session.location(argument)
        guard try session.store.isValid(path) else {
            throw StoreError(.notValid, "path '\(session.directory.print(path))' is not valid")
        }
        let file = session.store.layout.file(path) + rest
        guard try FileDescriptor.currentDirectory.statusIfPresent(of: file) != nil else {
            throw StoreError(.badStorePath, "path '\(session.directory.print(path))\(rest)' does not exist")
        }
        if json {
            return Output.standard.write(try self.json(file).serialized() + "\n")
        }
        if try source.kind(of: file) == .directory, !showsDirectory {
            try list(file, "")
        } else {
            try line(file, rest.split(separator: "/").last.map(String.init) ?? path.baseName)
        }
    }

    private func list(_ directory: String, _ relative: String) throws {
        for name in try source.names(in: directory).sorted() {
            let file = directory + "/" + name.description
            let shown = (relative.isEmpty ? "." : relative) + "/" + name.description
            try line(file, shown)
            if isRecursive, try source.kind(of: file) == .directory { try list(file, shown) }
        }
    }

    private func line(_ file: String, _ shown: String) throws {
        guard isLong else { return Output.standard.write(shown + "\n") }
        let kind = try source.kind(of: file)
        let mode: String
        var size: UInt64 = 0
        var target = ""
        switch kind {
        case .directory: mode = "dr-xr-xr-x"
        case .symlink:
            mode = "lrwxrwxrwx"
            target = " -> " + String(decoding: try source.target(ofLink: file), as: UTF8.self)
        default:
            mode = try source.isExecutable(file) ? "-r-xr-xr-x" : "-r--r--r--"
            size = try self.size(of: file)
        }
        let digits = String(size)
        let padding = String(repeating: " ", count: max(0, 20 - digits.utf8.count))
        Output.standard.write("\(mode) \(padding)\(digits) \(shown)\(target)\n")
    }

    private func size(of file: String) throws -> UInt64 {
        var size: UInt64 = 0
        try source.read(file, size: { size = $0 }, body: { _ in })
        return size
    }

    private func json(_ file: String) throws -> JSONValue {
        switch try source.kind(of: file) {
        case .directory:
            var entries: [(String, JSONValue)] = []
            for name in try source.names(in: file).sorted() {
                let value = isRecursive ? try json(file + "/" + name.description) : [:]
                entries.append((name.description, value))
            }
            return ["type": "directory", "entries": .object(JSONObject(entries))]
        case .symlink:
            return [
                "type": "symlink",
                "target": .string(String(decoding: try source.target(ofLink: file), as: UTF8.self)),
            ]
        default:
            var members: [(String, JSONValue)] = [
                ("type", "regular"), ("size", .integer(Int64(try size(of: file)))),
            ]
            if try source.isExecutable(file) { members.append(("executable", true)) }
            return .object(JSONObject(members))
        }
    }
}
