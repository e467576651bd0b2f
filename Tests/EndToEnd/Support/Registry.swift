import Foundation
import Kernel
import Synchronization

/// Debian's `docker-registry`, on a port of its own, for as long as this object lives.
///
/// Unchecked: nothing of it changes once it is made, and the child's own state is only looked at while it is.
final class Registry: @unchecked Sendable {
    static var isInstalled: Bool { Shell.exists("docker-registry") }

    let port: Int
    let directory: ScratchDirectory
    private let child: Child

    var host: String { "127.0.0.1:\(port)" }
    var url: String { (isEncrypted ? "https://" : "http://") + host }
    private let isEncrypted: Bool

    /// - Parameters:
    ///   - password: whether it lets nobody in but `me` with the password `secret`.
    ///   - isEncrypted: whether it speaks TLS, with a certificate that nobody vouches for.
    init(password: Bool = false, isEncrypted: Bool = false) throws {
        self.isEncrypted = isEncrypted
        directory = try ScratchDirectory("registry")
        port = try FreePort.find()
        var http = "  addr: 127.0.0.1:\(port)\n"
        var auth = ""
        if password {
            // bcrypt of "secret"
            try directory.write("me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n", to: "htpasswd")
            auth = "auth:\n  htpasswd:\n    realm: test\n    path: \(directory.file("htpasswd"))\n"
        }
        if isEncrypted {
            try Shell.sh(
                """
                cd '\(directory.path)'
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out crt -days 2 \
                    -subj /CN=test 2>&1
                """)
            http += "  tls:\n    certificate: \(directory.file("crt"))\n    key: \(directory.file("key"))\n"
        }
        let configuration = try directory.write(
            """
            version: 0.1
            log: {level: error, accesslog: {disabled: true}}
            storage:
              filesystem: {rootdirectory: \(directory.file("data"))}
              delete: {enabled: true}
            http:
            \(http)\(auth)
            """, to: "config.yml")
        let child = try Child(["docker-registry", "serve", configuration])
        self.child = child
        let url = (isEncrypted ? "https://" : "http://") + "127.0.0.1:\(port)"
        let isUp = try eventually {
            guard child.isRunning else { throw CommandFailure(command: ["docker-registry"], output: try child.wait()) }
            return try Shell.run(["curl", "-sk", "-o", "/dev/null", "\(url)/v2/"]).status == 0
        }
        guard isUp else {
            throw CommandFailure(
                command: ["docker-registry"], output: Output(status: -1, stdout: "", stderr: child.stderr))
        }
    }

    /// A registry for a whole suite, which ends when the test process does.
    static func shared() throws -> Registry {
        let registry = try Registry()
        ofSuites.withLock { $0.append(registry) }
        atexit {
            for registry in Registry.ofSuites.withLock({ $0 }) { kill(registry.child.pid, SIGKILL) }
        }
        return registry
    }

    private static let ofSuites = Mutex<[Registry]>([])

    /// A request to the registry itself.
    func curl(_ arguments: String...) throws -> Output { try Shell.check(["curl", "-sSk"] + arguments) }
}

/// A registry in Python that serves one image of two layers, and stops in the middle of the second one until it is told
/// to go on.
final class HesitantRegistry {
    let port: Int
    let directory: ScratchDirectory
    private let child: Child

    var host: String { "127.0.0.1:\(port)" }
    /// A line for each request for a layer: which, and the `Range`.
    var log: [String] {
        (try? String(contentsOfFile: directory.file("log"), encoding: .utf8))?.split(separator: "\n").map(String.init)
            ?? []
    }

    init() throws {
        directory = try ScratchDirectory("hesitant")
        port = try FreePort.find()
        try directory.write("", to: "log")
        let child = try Child(["python3", "-c", Self.script, "\(port)", directory.path])
        self.child = child
        let port = port
        guard try eventually(30, { try Shell.run(["curl", "-s", "http://127.0.0.1:\(port)/v2/"]).status == 0 }) else {
            throw CommandFailure(command: ["python3"], output: Output(status: -1, stdout: "", stderr: child.stderr))
        }
    }

    func goOn() throws { try directory.write("", to: "go") }

    private static let script = #"""
        import gzip, hashlib, io, json, os, sys, tarfile, time
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        port, directory = int(sys.argv[1]), sys.argv[2]
        def layer(name, size):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w") as tar:
                info = tarfile.TarInfo(name)
                info.size = size
                tar.addfile(info, io.BytesIO(os.urandom(size)))
            plain = data.getvalue()
            return plain, gzip.compress(plain, 1)
        def digest(data): return "sha256:" + hashlib.sha256(data).hexdigest()
        layers = [layer("first", 100_000), layer("second", 8_000_000)]
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/first"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(plain) for plain, _ in layers]}}).encode()
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest(config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(blob), "digest": digest(blob)}
                       for _, blob in layers]}).encode()
        blobs = {digest(config): config, digest(layers[0][1]): layers[0][1], digest(layers[1][1]): layers[1][1]}
        names = {digest(config): None, digest(layers[0][1]): "first", digest(layers[1][1]): "second"}
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *arguments): pass
            def answer(self, status, body, headers={}):
                self.send_response(status)
                for name, value in headers.items(): self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def do_GET(self):
                name = self.path.split("/")[-1]
                if "/manifests/" in self.path:
                    return self.answer(200, manifest, {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"})
                if name not in blobs: return self.answer(200, b"{}")
                blob, wanted = blobs[name], self.headers.get("Range")
                start = int(wanted[6:-1]) if wanted else 0
                if names[name]:
                    with open(directory + "/log", "a") as log: log.write(f"{names[name]} {start}\n")
                headers = {"Content-Range": f"bytes {start}-{len(blob) - 1}/{len(blob)}"} if start else {}
                if names[name] != "second" or os.path.exists(directory + "/go"):
                    return self.answer(206 if start else 200, blob[start:], headers)
                self.send_response(200)
                self.send_header("Content-Length", str(len(blob)))
                self.end_headers()
                self.wfile.write(blob[:5_000_000])
                self.wfile.flush()
                while not os.path.exists(directory + "/go"): time.sleep(0.05)
                self.wfile.write(blob[5_000_000:])
        ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
        """#
}

enum FreePort {
    /// A port that nobody listens at just now.
    static func find() throws -> Int {
        let text = try Shell.check([
            "python3", "-c", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])",
        ]).text
        guard let port = Int(text) else {
            throw CommandFailure(command: ["python3"], output: Output(status: 0, stdout: text, stderr: ""))
        }
        return port
    }
}
