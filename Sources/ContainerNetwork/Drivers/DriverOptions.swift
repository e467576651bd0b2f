import Kernel

/// Reads a driver's options, which come as text.
struct DriverOptions {
    let values: [String: String]

    /// As Go's `strconv.ParseBool`.
    func bool(_ name: String) throws(NetworkError) -> Bool? {
        guard let text = values[name] else { return nil }
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw invalid(name, text, "it must be true or false")
        }
    }

    /// 68, the least that IPv4 allows (RFC 791), to 65535.
    func mtu() throws(NetworkError) -> UInt32? {
        let name = "com.docker.network.driver.mtu"
        guard let text = values[name] else { return nil }
        guard let value = UInt32(text), value == 0 || (68...65535).contains(value) else {
            throw invalid(name, text, "it must be from 68 to 65535")
        }
        return value == 0 ? nil : value
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ name: String, _: Choice.Type) throws(NetworkError) -> Choice?
    where Choice.RawValue == String {
        guard let text = values[name], !text.isEmpty else { return nil }
        guard let choice = Choice(rawValue: text) else {
            throw invalid(name, text, "it must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    func address(_ name: String, _ family: IPFamily? = nil) throws(NetworkError) -> IPAddress? {
        guard let text = values[name], !text.isEmpty else { return nil }
        guard let address = IPAddress(text), family == nil || address.family == family else {
            throw invalid(name, text, "it must be an \(family?.description ?? "IP") address")
        }
        return address
    }

    func interface(_ name: String) throws(NetworkError) -> String? {
        guard let text = values[name], !text.isEmpty else { return nil }
        try InterfaceName.check(text)
        return text
    }

    func invalid(_ name: String, _ value: String, _ reason: String) -> NetworkError {
        NetworkError(.invalidArgument, "invalid value \"\(value)\" for option \(name): \(reason)")
    }
}
