import CommandLineKit
import EngineAPI
import JSON

// The configuration file: dockerd's daemon.json.

extension DaemonFlags {
    /// Takes over what the file at `path` says: its keys are set as if they had been flags.
    /// - Parameter text: the file's content.
    /// - Throws: `ConfigurationError` for a key that is unknown, of the wrong type, or also given as a flag.
    package func merge(file path: String, _ text: [UInt8]) throws(ConfigurationError) {
        func refuse(_ reason: String) -> ConfigurationError {
            ConfigurationError("unable to configure the daemon with file \(path): \(reason)")
        }
        // An empty file is an empty configuration, as it is to dockerd.
        guard text.contains(where: { !($0 == 0x20 || (0x09...0x0D).contains($0)) }) else { return }
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue(parsing: text) } catch { throw refuse("\(error)") }
        guard case .object(var object) = json else { throw refuse("it is not a JSON object") }
        do throws(ConfigurationError) { try RegistryFlags.unfoldProxies(in: &object) } catch {
            throw refuse(error.message)
        }

        let unknown = object.names.filter { name in !options.contains { $0.key == name } }
        guard unknown.isEmpty else {
            throw refuse(
                "the following directives don't match any configuration option: \(unknown.joined(separator: ", "))")
        }
        var conflicts: [String] = []
        for option in options where flags.isSet(option.flag) {
            guard let value = object[option.key] else { continue }
            conflicts.append("\(option.key): (from flag: \(shown(option.flag)), from file: \(value.serialized()))")
        }
        guard conflicts.isEmpty else {
            throw refuse(
                "the following directives are specified both as a flag and in the configuration file: "
                    + conflicts.joined(separator: ", "))
        }
        for option in options {
            guard let value = object[option.key], !value.isNull else { continue }
            guard let texts = option.kind.texts(value) else {
                throw refuse("the value of \"\(option.key)\" is no \(option.kind.noun): \(value.serialized())")
            }
            for text in texts {
                do throws(FlagError) { try flags.set(option.flag, to: text) } catch {
                    throw refuse("\"\(option.key)\": \(error.message)")
                }
            }
        }
    }

    /// A flag's value in a message.
    private func shown(_ flag: String) -> String {
        switch flag {
        case "host": hosts.value.joined(separator: ",")
        case "label": labels.value.joined(separator: ",")
        case "debug": "\(debug.value)"
        case "log-level": logLevel.value
        case "data-root": dataRoot.value
        case "exec-root": execRoot.value
        case "storage-driver": storageDriver.value
        default: "given"
        }
    }
}

extension DaemonFlags.Kind {
    var noun: String {
        switch self {
        case .boolean: "boolean"
        case .text: "string"
        case .integer: "whole number"
        case .size: "size, such as \"64M\""
        case .list: "array of strings"
        case .map: "object of strings"
        case .pools: "array of pools, such as [{\"base\": \"172.30.0.0/16\", \"size\": 24}]"
        case .networkOptions: "object of objects of strings, by driver"
        case .ulimits: "object of limits, such as {\"nofile\": {\"Name\": \"nofile\", \"Soft\": 1024, \"Hard\": 2048}}"
        }
    }

    /// The texts that the flag is set to, one after the other; `nil` when `value` is of another type.
    func texts(_ value: JSONValue) -> [String]? {
        switch self {
        case .boolean: return value.bool.map { [$0 ? "true" : "false"] }
        case .text: return value.string.map { [$0] }
        case .integer: return value.integer.map { ["\($0)"] }
        case .size: return value.string.map { [$0] } ?? value.integer.map { ["\($0)"] }
        case .list:
            guard let list = value.array else { return nil }
            let texts = list.compactMap(\.string)
            return texts.count == list.count ? texts : nil
        case .pools: return Self.pools(value)
        case .networkOptions: return Self.networkOptions(value)
        case .map:
            guard let object = value.object else { return nil }
            let texts = object.members.compactMap { member in member.value.string.map { "\(member.name)=\($0)" } }
            return texts.count == object.count ? texts : nil
        case .ulimits:
            guard let object = value.object else { return nil }
            let texts = object.members.compactMap { member -> String? in
                guard let soft = member.value["Soft"]?.integer, let hard = member.value["Hard"]?.integer else {
                    return nil
                }
                return "\(member.value["Name"]?.string ?? member.name)=\(soft):\(hard)"
            }
            return texts.count == object.count ? texts : nil
        }
    }
}
