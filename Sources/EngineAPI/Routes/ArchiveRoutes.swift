import Engine
import EngineModel
import JSON
import NIOHTTP1

extension DockerAPI {
    func addArchiveRoutes(to router: inout Router) {
        router.get("/containers/{name}/export") { [engine] request in
            let archive = try await engine.export(request.parameter("name"))
            return try await .bytes(archive, contentType: "application/octet-stream")
        }
        router.head("/containers/{name}/archive") { [engine] request in
            let status = try await engine.pathStatus(request.parameter("name"), path: request.archivePath())
            return HTTPResponse(.ok, headers: Self.header(status))
        }
        router.get("/containers/{name}/archive") { [engine] request in
            let (status, archive) = try await engine.downloadArchive(
                request.parameter("name"), path: request.archivePath())
            return try await .bytes(archive, contentType: "application/x-tar", headers: Self.header(status))
        }
        router.put("/containers/{name}/archive") { [engine] request in
            var options = ArchiveUploadOptions()
            options.noOverwriteDirectoryNonDirectory = request.query.flag("noOverwriteDirNonDir")
            options.copyOwner = request.query.flag("copyUIDGID")
            try await engine.uploadArchive(
                request.parameter("name"), path: request.archivePath(), from: request.body, options)
            return .empty(.ok)
        }
    }

    private static func header(_ status: ContainerPathStat) -> HTTPHeaders {
        ["X-Docker-Container-Path-Stat": base64(status.json.bytes())]
    }
}

extension HTTPRequest {
    fileprivate func archivePath() throws(HTTPFailure) -> String {
        guard let path = query.text("path") else { throw HTTPFailure(.badRequest, "the query lacks \"path\"") }
        return path
    }
}

/// RFC 4648, section 4.
package func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var output: [UInt8] = []
    output.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let word = group.enumerated().reduce(0) { $0 | Int($1.element) << (16 - 8 * $1.offset) }
        for position in 0..<4 {
            output.append(position <= group.count ? alphabet[word >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
        }
    }
    return String(decoding: output, as: UTF8.self)
}
