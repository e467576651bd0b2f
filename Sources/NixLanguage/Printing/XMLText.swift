/// A document of XML, element by element, as Nix writes it: two spaces a level, attributes in order of names.
struct XMLText {
    private(set) var bytes = Array("<?xml version='1.0' encoding='utf-8'?>\n".utf8)
    private var depth = 0

    mutating func open(_ name: String, _ attributes: [(String, [UInt8])] = []) {
        write(name, attributes, isEmpty: false)
        depth += 1
    }

    mutating func close(_ name: String) {
        depth -= 1
        bytes.append(contentsOf: repeatElement(0x20, count: depth * 2))
        bytes.append(contentsOf: "</\(name)>\n".utf8)
    }

    mutating func empty(_ name: String, _ attributes: [(String, [UInt8])] = []) {
        write(name, attributes, isEmpty: true)
    }

    private mutating func write(_ name: String, _ attributes: [(String, [UInt8])], isEmpty: Bool) {
        bytes.append(contentsOf: repeatElement(0x20, count: depth * 2))
        bytes.append(contentsOf: ("<" + name).utf8)
        for (key, value) in attributes.sorted(by: { $0.0 < $1.0 }) {
            bytes.append(contentsOf: " \(key)=\"".utf8)
            for byte in value {
                switch byte {
                case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
                case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
                case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
                case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
                case UInt8(ascii: "\n"): bytes.append(contentsOf: "&#xA;".utf8)
                default: bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(contentsOf: (isEmpty ? " />\n" : ">\n").utf8)
    }
}
