import Kernel
import NIOSSL
import Testing

@testable import Registry

/// Debian's `docker-registry`, started by the test, on a port of its own.
final class DebianRegistry: Sendable {
    enum Protection: Sendable {
        case none
        /// A certificate of a test's authority, for `registry.test`.
        case tls
        /// The user `me` with the password `secret`.
        case password
    }

    static let program = "/usr/bin/docker-registry"
    static var isInstalled: Bool { FileDescriptor.currentDirectory.exists(program) }

    let port: Int
    let directory: TemporaryDirectory
    private let process: Subprocess

    var host: String { "127.0.0.1:\(port)" }
    /// The authority's certificate, when there is one.
    var authority: String { "\(directory.path)/ca.crt" }

    init(_ protection: Protection = .none) throws {
        directory = try TemporaryDirectory()
        let path = directory.path
        let here = FileDescriptor.currentDirectory
        port = try UnheardSocket().port
        var http = "http:\n  addr: 127.0.0.1:\(port)\n"
        var auth = ""
        switch protection {
        case .none: break
        case .password:
            // bcrypt of "secret"
            try here.replaceFile(
                "\(path)/htpasswd", with: "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n")
            auth = "auth:\n  htpasswd:\n    realm: test\n    path: \(path)/htpasswd\n"
        case .tls:
            try Self.makeCertificates(in: path)
            http += "  tls:\n    certificate: \(path)/server.crt\n    key: \(path)/server.key\n"
        }
        try here.replaceFile(
            "\(path)/config.yml",
            with: """
                version: 0.1
                log:
                  level: error
                  accesslog:
                    disabled: true
                storage:
                  filesystem:
                    rootdirectory: \(path)/data
                  delete:
                    enabled: true
                \(http)\(auth)
                """)
        let log = try FileDescriptor.open("\(path)/log", [.writeOnly, .create, .truncate], mode: 0o600)
        var configuration = Subprocess.Configuration(
            Self.program, arguments: [Self.program, "serve", "\(path)/config.yml"])
        configuration.descriptors[1] = log
        configuration.descriptors[2] = log
        process = try Subprocess.spawn(configuration)
    }

    deinit {
        try? process.send(signal: .kill)
        _ = try? process.wait()
    }

    /// An authority, and a certificate of it for `registry.test`.
    static func makeCertificates(in path: String) throws {
        let script = """
            set -e; cd '\(path)'
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 \
                -subj '/CN=Test authority' -addext basicConstraints=critical,CA:TRUE
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr \
                -subj '/CN=registry.test'
            printf 'subjectAltName=DNS:registry.test\\n' > san
            openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile san
            """
        let output = try Subprocess.run(Subprocess.Configuration("/bin/sh", arguments: ["sh", "-c", script]))
        guard output.status == .exited(0) else {
            throw RegistryError(.invalidInput, "openssl failed: \(output.standardErrorText)")
        }
    }
}
