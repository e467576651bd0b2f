/// An element of one of the table's sets and maps: in nft's language for whole tables, in the kernel's bytes for single
/// elements.
struct FirewallElement: Hashable, Sendable {
    /// A part of a concatenated key or value.
    enum Field: Hashable, Sendable {
        case address(IPAddress)
        case subnet(IPPrefix)
        case `protocol`(PortProtocol)
        case port(UInt16)
        /// An interface's name, of a form that was checked.
        case interface(String)

        var text: String {
            switch self {
            case .address(let address): "\(address)"
            case .subnet(let prefix): "\(prefix)"
            // By number: /etc/protocols may be missing.
            case .protocol(let value): "\(value.rawValue)"
            case .port(let port): "\(port)"
            case .interface(let name): "\"\(name)\""
            }
        }

        /// Padded to 4 bytes, as nf_tables lays concatenations out; `nil` for what is no single value.
        var bytes: [UInt8]? {
            switch self {
            case .address(let address): address.bytes
            case .subnet: nil
            case .protocol(let value): [value.rawValue, 0, 0, 0]
            case .port(let port): [UInt8(port >> 8), UInt8(port & 0xff), 0, 0]
            case .interface(let name): Array(name.utf8) + [UInt8](repeating: 0, count: max(0, 16 - name.utf8.count))
            }
        }
    }

    enum Value: Hashable, Sendable {
        case fields([Field])
        case verdict(String)

        var text: String {
            switch self {
            case .fields(let fields): fields.map(\.text).joined(separator: " . ")
            case .verdict(let text): text
            }
        }
    }

    /// What must be unique.
    struct Place: Hashable, Sendable {
        let set: String
        let key: [Field]
    }

    let place: Place
    let value: Value?

    init(_ set: String, _ key: Field..., value: Value? = nil) {
        place = Place(set: set, key: key)
        self.value = value
    }

    private var keyText: String { place.key.map(\.text).joined(separator: " . ") }

    /// One command for each set.
    static func adding(_ elements: [FirewallElement], to table: String) -> String {
        commands("add", elements, table) { "\($0.keyText)\($0.value.map { " : \($0.text)" } ?? "")" }
    }

    static func deleting(_ elements: [FirewallElement], from table: String) -> String {
        commands("delete", elements, table) { $0.keyText }
    }

    private static func commands(
        _ verb: String, _ elements: [FirewallElement], _ table: String, _ text: (FirewallElement) -> String
    ) -> String {
        Dictionary(grouping: elements, by: \.place.set).sorted { $0.key < $1.key }.map { set, members in
            "\(verb) element inet \(table) \(set) { \(members.map(text).joined(separator: ", ")) }\n"
        }.joined()
    }

    /// Key and value in the kernel's form; `nil` when only nft can say it.
    var binary: (key: [UInt8], value: [UInt8]?)? {
        func join(_ fields: [Field]) -> [UInt8]? {
            var bytes: [UInt8] = []
            for field in fields {
                guard let part = field.bytes else { return nil }
                bytes += part
            }
            return bytes
        }
        guard let key = join(place.key) else { return nil }
        switch value {
        case nil: return (key, nil)
        case .fields(let fields): return join(fields).map { (key, $0) }
        case .verdict: return nil
        }
    }
}
