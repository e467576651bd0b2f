import JSON

// From answers with an error's status to errors.
extension RegistryError {
    /// How long a body with errors may be; what is beyond is cut off.
    static let bodyLimit = 64 << 10

    /// What an answer that is not a success means.
    /// - Parameters:
    ///   - image: what the user asked for, in the user's words.
    ///   - registry: the registry's name.
    init(_ response: RegistryResponse, for image: String, registry: String) async {
        // An error page may be long: its beginning says enough.
        var bytes: [UInt8] = []
        do {
            for try await buffer in response.body {
                bytes.append(contentsOf: buffer.readableBytesView)
                if bytes.count > Self.bodyLimit { break }
            }
        } catch {}
        self.init(response, body: bytes, for: image, registry: registry)
    }

    init(_ response: RegistryResponse, body: [UInt8], for image: String, registry: String) {
        let errors = Self.serverErrors(body)
        let reason = errors.first?.description ?? Self.excerpt(body, response)
        let code: Code
        var message = "\(image): \(reason)"
        switch response.status {
        case 401:
            code = .unauthorized
            message =
                errors.isEmpty
                ? "\(image): unauthorized: authentication required: the registry \(registry) wants credentials; use 'docker "
                    + "login \(registry)'"
                : "\(image): \(reason): use 'docker login \(registry)' with an account that may do this"
        case 403:
            code = .denied
            message = "\(image): \(reason): the account at the registry \(registry) may not do this"
        case 404: code = .notFound
        case 405:
            code = .notSupported
            message = "\(image): the registry \(registry) does not allow this: \(reason)"
        case 429:
            code = .rateLimited
            message = "\(image): toomanyrequests: the registry \(registry) asks to come back later: \(reason)"
        case 500...: code = .serverFailed
        default: code = .invalidResponse
        }
        self.init(code, message, status: response.status, serverErrors: errors)
    }

    /// A token server's refusal.
    init(_ response: RegistryResponse, body: [UInt8], tokenFor registry: String) {
        let value = try? JSONValue(parsing: body)
        let errors = Self.serverErrors(body)
        let said =
            errors.first?.message ?? value?["error_description"]?.string ?? value?["details"]?.string
            ?? Self.excerpt(body, response)
        switch response.status {
        case 400, 401, 403:
            self.init(
                .unauthorized,
                "Get \"\(response.address.withoutSecrets)\": unauthorized: \(said): log in with 'docker login \(registry)'",
                status: response.status, serverErrors: errors)
        default:
            self.init(
                response.status == 429 ? .rateLimited : response.status >= 500 ? .serverFailed : .invalidResponse,
                "the token server \(response.address.origin) of the registry \(registry) gave no token: \(said)",
                status: response.status, serverErrors: errors)
        }
    }

    private static func serverErrors(_ body: [UInt8]) -> [ServerError] {
        guard let list = (try? JSONValue(parsing: body))?["errors"]?.array else { return [] }
        return list.prefix(10).compactMap { element in
            guard let code = element["code"]?.string else { return nil }
            return ServerError(
                code: String(code.prefix(100)), message: String((element["message"]?.string ?? "").prefix(1000)))
        }
    }

    /// What a body without errors in it says: a page in HTML says nothing that anybody wants to read.
    private static func excerpt(_ body: [UInt8], _ response: RegistryResponse) -> String {
        let status = "received unexpected HTTP status: \(response.status)"
        let type = response.headers.first(name: "Content-Type") ?? ""
        if type.hasPrefix("text/html") || body.first == UInt8(ascii: "<") {
            return
                "\(status), with a page in HTML: \(response.address.origin) may be no registry, or a proxy answers for it"
        }
        let text = String(decoding: body.prefix(200), as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return text.isEmpty ? status : "\(status): \(text)"
    }
}
