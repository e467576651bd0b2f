import ImageTransports
import Testing

@testable import CopyCommands

@Suite struct YAMLDocumentTests {
    private func read(_ text: String) throws -> String {
        Self.text(try YAMLDocument.read(Array(text.utf8), path: "list.yml"))
    }

    /// A node in a line.
    private static func text(_ node: YAMLDocument.Node) -> String {
        switch node.value {
        case .null: "~"
        case .scalar(let text): "'\(text)'"
        case .sequence(let elements): "[" + elements.map(text).joined(separator: " ") + "]"
        case .mapping(let members): "{" + members.map { "\($0.key)=\(text($0.node))" }.joined(separator: " ") + "}"
        }
    }

    @Test(arguments: [
        ("", "~"), ("# nothing\n", "~"), ("~", "~"), ("a:", "{a=~}"), ("'null'", "'null'"), ("1.0", "'1.0'"),
        ("---\na: [b, 'c', \"d\\u00e9\"]\n...\n", "{a=['b' 'c' 'dé']}"),
        ("{a: {b: c}, d: [[e]]}", "{a={b='c'} d=[['e']]}"),
        ("a:\n- b\n-   c\n- - d", "{a=['b' 'c' ['d']]}"), ("a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{a='x\ny\n' b='x y'}"),
        ("a: &tags [x, y]\nb: *tags\nc: [*tags, z]", "{a=['x' 'y'] b=['x' 'y'] c=[['x' 'y'] 'z']}"),
        ("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n  r: 4", "{a={p='1' q='2'} b={q='3' r='4' p='1'}}"),
        ("b:\n  <<: [{p: 1}, {p: 2, s: 5}]\n", "{b={p='1' s='5'}}"), ("a: &x 1\nb: &x 2\nc: *x", "{a='1' b='2' c='2'}"),
        ("a: !!str 1\nb: !!seq [x]", "{a='1' b=['x']}"), ("? a\n: b", "{a='b'}"),
        ("a: b # c\nd: 'e # f'", "{a='b' d='e # f'}"),
    ])
    func isRead(_ text: String, _ expected: String) throws { #expect(try read(text) == expected) }

    @Test(arguments: [
        ("a: *none", "list.yml:1: the alias *none"), ("a: b\na: c", "list.yml:2: the key \"a\""),
        ("a: 1\n--- \nb: 2", "list.yml:2: there may be one document"), ("a: !mine b", "list.yml:1: the tag !mine"),
        ("a:\n  - b\n c", "list.yml:3: "), ("a: [b", "list.yml:"), ("[a]: b", "list.yml:1: a key has to be"),
        ("a:\n\tb: c", "list.yml:2: "), ("a: &a [*a]", "list.yml:1: the alias *a"),
        ("\n\n{<<: [1]}", "list.yml:3: << takes"), ("a: \"b", "list.yml:"),
        (String(repeating: "[", count: 40), "list.yml:1: values lie too deep"),
    ])
    func isRefused(_ text: String, _ reason: String) throws {
        let error = #expect(throws: TransportError.self) { try read(text) }
        #expect(error?.code == .invalidInput && error?.message.hasPrefix(reason) == true, "\(error?.message ?? "")")
    }

    @Test func bytesThatAreNoTextHaveALine() throws {
        let error = #expect(throws: TransportError.self) {
            try YAMLDocument.read(Array("a: b\nc: ".utf8) + [0xFF, 0x0A], path: "list.yml")
        }
        #expect(error?.message.hasPrefix("list.yml:2: ") == true, "\(error?.message ?? "")")
    }

    /// Each of a hundred levels stands for nine of the one before.
    @Test func aliasesOfAliasesEndSomewhere() throws {
        var text = "a0: &a0 [x]\n"
        for level in 1...100 {
            text +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
        }
        let error = #expect(throws: TransportError.self) { try read(text) }
        #expect(error?.message.contains("what its aliases stand for") == true)
    }
}
