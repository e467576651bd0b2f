import JSON
import Kernel

/// A program `docker-credential-NAME` that keeps credentials, as in the system's key ring.
public struct CredentialHelper: Sendable {
    public let name: String
    /// Where it is looked for, separated by colons.
    private let searchPath: String
    private let timeoutMilliseconds: Int

    public init(name: String, searchPath: String, timeoutMilliseconds: Int = 60_000) {
        self.name = name
        self.searchPath = searchPath
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// What the helper knows of `key`; `nil` when that is nothing. Blocks.
    public func get(_ key: String) throws(CredentialError) -> Credential? {
        let output = try run("get", input: key)
        guard let output else { return nil }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: output) } catch {
            throw failure("get", "its answer is no JSON: \(error)")
        }
        guard let secret = value["Secret"]?.string else { throw failure("get", "its answer has no Secret") }
        let username = value["Username"]?.string ?? ""
        // The protocol's mark of an identity token.
        return username == "<token>" ? .identityToken(secret) : .password(username: username, password: secret)
    }

    /// Gives the helper a credential to keep. Blocks.
    public func store(_ credential: Credential, for key: String) throws(CredentialError) {
        var object: JSONObject = ["ServerURL": .string(key)]
        switch credential {
        case .password(let username, let password):
            object["Username"] = .string(username)
            object["Secret"] = .string(password)
        case .identityToken(let token), .registryToken(let token):
            object["Username"] = "<token>"
            object["Secret"] = .string(token)
        }
        _ = try run("store", input: JSONValue.object(object).serialized())
    }

    /// Makes the helper forget. Blocks.
    public func erase(_ key: String) throws(CredentialError) { _ = try run("erase", input: key) }

    private func failure(_ verb: String, _ reason: String) -> CredentialError {
        CredentialError(.helperFailed, "error getting credentials: docker-credential-\(name) \(verb): \(reason)")
    }

    /// - Returns: what it printed; `nil` when it said that it knows nothing.
    private func run(_ verb: String, input: String) throws(CredentialError) -> [UInt8]? {
        // The name comes from a file and becomes part of a path.
        guard !name.isEmpty, !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }) else {
            throw failure(verb, "\"\(name)\" is no name of a credential helper")
        }
        let here = FileDescriptor.currentDirectory
        let candidates = searchPath.split(separator: ":").map { "\($0)/docker-credential-\(name)" }
        guard let program = candidates.first(where: { here.isAccessible($0, mode: 1) }) else {
            throw failure(
                verb,
                "executable file not found in $PATH; install it, or remove \"\(name)\" from credsStore and credHelpers in "
                    + "config.json")
        }
        let output: Subprocess.Output
        do throws(KernelError) {
            output = try Subprocess.run(
                Subprocess.Configuration(program, arguments: [program, verb]), input: Array(input.utf8),
                timeoutMilliseconds: timeoutMilliseconds)
        } catch { throw failure(verb, "\(error)") }
        if output.timedOut { throw failure(verb, "it gave no answer within \(timeoutMilliseconds / 1000) s") }
        guard output.status != .exited(0) else { return output.standardOutput }
        // The protocol has errors on the standard output.
        let text = (output.standardOutput.isEmpty ? output.standardError : output.standardOutput)
        let message = String(decoding: text.prefix(1000), as: UTF8.self).split(whereSeparator: \.isNewline).first ?? ""
        if message.contains("credentials not found") || message.contains("no credentials") { return nil }
        throw failure(verb, message.isEmpty ? "it failed and said nothing" : String(message))
    }
}
