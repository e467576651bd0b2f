import Glibc
import Kernel

/// libnftables, loaded when it is first needed: a daemon without bridge networks never pays for it, and a host without
/// it gets an error in words rather than a program that does not start.
///
/// Commands are nft's own language. libnftables offers the same through JSON, but a distribution may build it without,
/// and a table in the language that `nft list` prints is one that its reader can check.
///
/// Not for several threads at once. Its netlink socket stays in the namespace where it was made.
final class NFTablesLibrary {
    private typealias New = @convention(c) (UInt32) -> OpaquePointer?
    private typealias Free = @convention(c) (OpaquePointer) -> Void
    private typealias Run = @convention(c) (OpaquePointer, UnsafePointer<CChar>) -> Int32
    private typealias Buffer = @convention(c) (OpaquePointer) -> Int32
    private typealias Text = @convention(c) (OpaquePointer) -> UnsafePointer<CChar>?
    private typealias SetFlags = @convention(c) (OpaquePointer, UInt32) -> Void

    private let context: OpaquePointer
    private let free: Free
    private let runCommands: Run
    private let output: Text
    private let errors: Text

    /// - Throws: `.unavailable` when the library is missing or too old, `.notPermitted` when netlink is refused.
    init() throws(NetworkError) {
        // RTLD_NOW. Never unloaded: what it registers at load would dangle.
        guard let library = dlopen("libnftables.so.1", Int32(RTLD_NOW)) else {
            let reason = dlerror().map { String(cString: $0) } ?? "not found"
            throw NetworkError(
                .unavailable,
                "cannot load libnftables, which the rules of bridge networks need: \(reason); install it "
                    + "(libnftables1 on Debian and Ubuntu, nftables elsewhere)")
        }
        func symbol<Function>(_ name: String, _ type: Function.Type) throws(NetworkError) -> Function {
            guard let address = dlsym(library, name) else {
                throw NetworkError(.unavailable, "libnftables is too old: it has no \(name)")
            }
            return unsafeBitCast(address, to: type)
        }
        let new = try symbol("nft_ctx_new", New.self)
        free = try symbol("nft_ctx_free", Free.self)
        runCommands = try symbol("nft_run_cmd_from_buffer", Run.self)
        output = try symbol("nft_ctx_get_output_buffer", Text.self)
        errors = try symbol("nft_ctx_get_error_buffer", Text.self)
        let bufferOutput = try symbol("nft_ctx_buffer_output", Buffer.self)
        let bufferErrors = try symbol("nft_ctx_buffer_error", Buffer.self)
        let setFlags = try symbol("nft_ctx_output_set_flags", SetFlags.self)
        guard let context = new(0) else {
            throw NetworkError(.notPermitted, "cannot set libnftables up: it needs CAP_NET_ADMIN")
        }
        self.context = context
        if bufferOutput(context) != 0 || bufferErrors(context) != 0 {
            free(context)
            throw NetworkError(.unavailable, "cannot set libnftables up: out of memory")
        }
        // NFT_CTX_OUTPUT_HANDLE: listings name the rules' handles, which deleting one needs.
        setFlags(context, 1 << 3)
    }

    deinit { free(context) }

    /// Runs commands as one transaction: all of them, or none.
    /// - Returns: what they list.
    @discardableResult
    func run(_ commands: String) throws(NetworkError) -> String {
        let status = commands.withCString { runCommands(context, $0) }
        let text = output(context).map { String(cString: $0) } ?? ""
        let reason = errors(context).map { String(cString: $0) } ?? ""
        guard status != 0 else { return text }
        throw Self.error(reason)
    }

    /// The first line of the library's words, which end in the kernel's.
    private static func error(_ text: String) -> NetworkError {
        let line = text.split(separator: "\n").first.map(String.init) ?? "no reason given"
        let code: NetworkError.Code
        if line.contains("No such file or directory") {
            code = .notFound
        } else if line.contains("Operation not permitted") {
            code = .notPermitted
        } else if line.contains("Operation not supported") || line.contains("Protocol not supported") {
            code = .unavailable
        } else if line.contains("File exists") {
            code = .conflict
        } else {
            code = .kernel
        }
        let advice = code == .unavailable ? "; the kernel may lack nf_tables, or its NAT or fib expressions" : ""
        return NetworkError(code, "nftables refused: \(line)\(advice)")
    }
}
