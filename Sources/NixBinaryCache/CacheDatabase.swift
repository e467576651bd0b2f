import CSQLite
import Kernel
import NixStore

/// A file of SQLite in which answers are kept that can be had again: in Nix's own files and formats.
package final class CacheDatabase {
    package enum Value {
        case null
        case integer(Int64)
        case text(String)

        package var integer: Int64 {
            if case .integer(let number) = self { return number }
            return 0
        }

        package var string: String {
            if case .text(let text) = self { return text }
            return ""
        }
    }

    private let handle: OpaquePointer
    private let path: String
    private let content: String

    /// - Parameters:
    ///   - path: the file; its directory is made.
    ///   - content: what is kept there, in words for errors.
    package init(_ path: String, schema: String, of content: String) throws {
        if let slash = path.lastIndex(of: "/") {
            try FileDescriptor.currentDirectory.makeDirectories(String(path[..<slash]))
        }
        var handle: OpaquePointer?
        let result = sqlite3_open_v2(
            path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nil)
        guard result == SQLITE_OK, let handle else {
            if let handle { sqlite3_close(handle) }
            throw StoreError(
                .badCache,
                "cannot open '\(path)', where \(content) are kept: \(String(cString: sqlite3_errstr(result)))"
            )
        }
        self.handle = handle
        self.path = path
        self.content = content
        sqlite3_busy_timeout(handle, 60_000)
        // It is a cache: losing it costs a question.
        for statement in ["pragma synchronous = off", "pragma main.journal_mode = truncate", schema] {
            guard sqlite3_exec(handle, statement, nil, nil, nil) == SQLITE_OK else {
                throw StoreError(
                    .badCache,
                    "'\(path)', where \(content) are kept, cannot be used: "
                        + "\(String(cString: sqlite3_errmsg(handle))); remove the file")
            }
        }
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs a statement and gives its rows.
    package func rows(_ statement: String, _ arguments: [Value]) throws -> [[Value]] {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v2(handle, statement, -1, &prepared, nil) == SQLITE_OK, let prepared else {
            throw failure()
        }
        defer { sqlite3_finalize(prepared) }
        for (index, argument) in arguments.enumerated() {
            let position = Int32(index + 1)
            switch argument {
            case .null: sqlite3_bind_null(prepared, position)
            case .integer(let number): sqlite3_bind_int64(prepared, position, number)
            case .text(let text):
                // SQLITE_TRANSIENT: it keeps a copy.
                let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
                sqlite3_bind_text(prepared, position, text, Int32(text.utf8.count), transient)
            }
        }
        var rows: [[Value]] = []
        while true {
            switch sqlite3_step(prepared) {
            case SQLITE_DONE: return rows
            case SQLITE_ROW:
                rows.append(
                    (0..<sqlite3_column_count(prepared)).map { column in
                        switch sqlite3_column_type(prepared, column) {
                        case SQLITE_INTEGER: .integer(sqlite3_column_int64(prepared, column))
                        case SQLITE_NULL: .null
                        default: sqlite3_column_text(prepared, column).map { .text(String(cString: $0)) } ?? .null
                        }
                    })
            default: throw failure()
            }
        }
    }

    private func failure() -> StoreError {
        StoreError(
            .badCache,
            "'\(path)', where \(content) are kept: \(String(cString: sqlite3_errmsg(handle))); "
                + "remove the file if this persists")
    }
}
