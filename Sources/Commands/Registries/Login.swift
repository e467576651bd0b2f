import CommandLineKit
import Credentials
import EngineClient
import EngineModel
import Glibc

extension Commands {
    static var login: Command<Action> {
        var command = Command<Action>(
            "login", "Authenticate to a registry", usage: "[OPTIONS] [SERVER]", arguments: .atMost(1)
        ) { flags in
            let password = flags.string("password", "p", "Password or personal access token")
            let passwordStdin = flags.bool("password-stdin", "Take the password from the standard input")
            let username = flags.string("username", "u", "User name")
            return { context, arguments in
                if password.isSet {
                    guard !passwordStdin.value else {
                        throw ExitStatus(1, "conflicting options: cannot specify both --password and --password-stdin")
                    }
                    Output.error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
                }
                if passwordStdin.value, username.value.isEmpty {
                    throw ExitStatus(1, "the --password-stdin option requires --username to be set")
                }
                let login = LoginCommand(context: context, host: LoginCommand.host(arguments.first))
                try await login(
                    username: username.value, password: passwordStdin.value ? Prompt.readAll() : password.value)
            }
        }
        command.spellings = ["% login"]
        command.group = "Common Commands"
        return command
    }

    static var logout: Command<Action> {
        var command = Command<Action>(
            "logout", "Log out from a registry", usage: "[SERVER]", arguments: .atMost(1)
        ) { _ in
            { context, arguments in
                let host = LoginCommand.host(arguments.first)
                var store = try context.credentialStore()
                do throws(CredentialError) {
                    let shown = Credential.key(for: host)
                    Output.print(
                        try store.erase(host)
                            ? "Removing login credentials for \(shown)" : "Not logged in to \(shown)")
                } catch { throw ExitStatus(1, error.message) }
            }
        }
        command.spellings = ["% logout"]
        command.group = "Common Commands"
        return command
    }
}

/// `login`: asks for what was not given, has the daemon try it, and keeps what worked.
struct LoginCommand {
    let context: Context
    let host: String

    /// The registry that an argument means, as `https://registry.example.com/v2/` or a bare host.
    static func host(_ argument: String?) -> String {
        guard let argument, !argument.isEmpty else { return "docker.io" }
        let host = Credential.host(of: argument)
        return Credential.key(for: host) == Credential.dockerHubKey ? "docker.io" : host
    }

    func callAsFunction(username: String, password: String) async throws {
        var store = try context.credentialStore()
        if username.isEmpty, password.isEmpty {
            let known: Credential?
            do throws(CredentialError) { known = try store.credential(for: host) } catch {
                guard error.code == .invalidConfiguration else { throw ExitStatus(1, error.message) }
                // Logging in again is what mends it.
                Output.error(error.message)
                known = nil
            }
            if let known {
                Output.print("Authenticating with existing credentials...")
                if let answer = try? await attempt(known) { return try keep(known, answer, in: &store) }
                Output.print("Login did not succeed with the existing credentials")
            }
        }
        var (username, password) = (username, password)
        if username.isEmpty || password.isEmpty {
            guard Terminal.isTerminal(0) else {
                throw ExitStatus(1, "Error: Cannot perform an interactive login from a non TTY device")
            }
            if username.isEmpty { username = Prompt.line("Username: ") }
            guard !username.isEmpty else { throw ExitStatus(1, "Error: Non-null Username Required") }
            if password.isEmpty { password = Prompt.secret("Password: ") }
            guard !password.isEmpty else { throw ExitStatus(1, "Error: Password Required") }
        }
        let credential = Credential.password(username: username, password: password)
        try keep(credential, try await attempt(credential), in: &store)
    }

    private func attempt(_ credential: Credential) async throws -> AuthResponse {
        let config = AuthConfig(credential, serverAddress: Credential.key(for: host))
        return try await context.call("POST", "/auth", body: config.json, as: AuthResponse.self)
    }

    private func keep(_ credential: Credential, _ answer: AuthResponse, in store: inout CredentialStore) throws {
        do throws(CredentialError) {
            try store.save(answer.identityToken.isEmpty ? credential : .identityToken(answer.identityToken), for: host)
        } catch { throw ExitStatus(1, "Error saving credentials: \(error.message)") }
        if store.keepsInFile(host), answer.identityToken.isEmpty {
            Output.error(
                "\nWARNING! Your credentials are stored unencrypted in '\(context.configuration.directory)/config.json'.\n"
                    + "Configure a credential helper to remove this warning.\n")
        }
        Output.print(answer.status.isEmpty ? "Login Succeeded" : answer.status)
    }
}

extension Prompt {
    /// Asks for a line.
    static func line(_ question: String) -> String {
        Output.write(question)
        return (readLine() ?? "").trimmed
    }

    /// Asks for a line that is not shown.
    static func secret(_ question: String) -> String {
        Output.write(question)
        var settings = termios()
        let isTerminal = tcgetattr(0, &settings) == 0
        if isTerminal {
            var silent = settings
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(0, TCSANOW, &silent)
        }
        defer {
            if isTerminal {
                tcsetattr(0, TCSANOW, &settings)
                Output.print("")
            }
        }
        return readLine() ?? ""
    }

    /// All of the standard input, without the line feed at its end.
    static func readAll() -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 1 << 20 {
            let count = read(0, &buffer, buffer.count)
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
