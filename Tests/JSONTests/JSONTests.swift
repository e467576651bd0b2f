import JSON
import Testing

struct Inner: JSONRecord {
    var size: Int64 = 0
    var unknownMembers = JSONObject()
    mutating func members(_ json: inout JSONMembers) {
        json.required("size", &size)
    }
}

struct Outer: JSONRecord {
    var name = ""
    var list: [Inner]?
    var flag = false
    var pointer: String?
    var unknownMembers = JSONObject()
    mutating func members(_ json: inout JSONMembers) {
        json.required("name", &name)
        json.optional("list", &list)
        json.omitEmpty("flag", &flag)
        json.nullable("pointer", &pointer)
    }
}

@Suite struct JSONTests {
    @Test func keepsOrderIntegersAndUnknownMembersOnARoundTrip() throws {
        let text =
            #"{"name":"x","list":[{"size":9007199254740993,"z":18446744073709551615}],"pointer":null,"b":1,"a":[]}"#
        let outer = try Outer(parsing: text)
        #expect(outer.list?.first?.size == 9_007_199_254_740_993)
        #expect(outer.json.serialized() == text)
    }

    @Test func errorsNameThePath() {
        #expect { try Outer(parsing: #"{"name":"x","list":[{"size":1},{"size":"big"}]}"#) } throws: {
            "\($0)" == "list[1].size: expected an integer, found a string"
        }
        #expect { try Outer(parsing: "{}") } throws: { "\($0)" == "name: missing, but required" }
        #expect { try Outer(parsing: "[1") } throws: { "\($0)".hasPrefix("invalid JSON at byte 2") }
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "01", "1.", "-", "1e", "\"\u{1}\"", "\"\\x\"", "\"\\u12\"", "nul", "1 2", "1e999",
        "{\"a\":1,}", "'a'", "[", "\"abc",
    ])
    func refuses(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    private struct Document: JSONRecord {
        var hostConfig = ""
        var unknownMembers = JSONObject()
        mutating func members(_ json: inout JSONMembers) {
            json.required("HostConfig", &hostConfig)
        }
    }

    @Test func recordsTakeNamesInAnyCase() throws {
        #expect(try Document(parsing: #"{"hostconfig":"a"}"#).hostConfig == "a")
        #expect(try Document(parsing: #"{"HOSTCONFIG":"a","HostConfig":"b"}"#).hostConfig == "b")
        #expect(try Document(parsing: #"{"HostConfig":"a","other":1}"#).unknownMembers == ["other": 1])
        #expect(throws: JSONError.self) { try Document(parsing: "{}") }
    }

    @Test func refusesDeepNesting() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 100_000)) }
    }

    @Test func escapes() throws {
        let value = try JSONValue(parsing: #""a\n\u00e9\ud83d\ude00\ud800\"\\""#)
        #expect(value.string == "a\né😀\u{FFFD}\"\\")
        #expect(
            JSONValue.string("<a&b>\u{1}").serialized(JSONFormat(escapesHTML: true)) == #""\u003ca\u0026b\u003e\u0001""#
        )
    }

    @Test func removingAndFindingMembersInALargeObject() {
        var object = JSONObject((0..<40).map { ("k\($0)", .integer(Int64($0))) })
        object["k3"] = nil
        #expect(object["k3"] == nil && object["k39"] == 39 && object.count == 39)
        for name in object.names where name != "k7" { object[name] = nil }
        #expect(object == ["k7": 7])
    }

    @Test func everyPrefixOfADocumentFailsCleanly() {
        let text = Array(#"{"a":[1,2.5,{"b":"c\u0041"}],"d":null,"e":true}"#.utf8)
        for length in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text[..<length])) }
        }
    }
}
