import JSON
import NixStore
import Testing

@testable import NixBuild

@Suite struct StructuredAttributesTests {
    private func attributes(_ json: String) throws -> StructuredAttributes {
        var derivation = Derivation(name: "x")
        derivation.environment["__json"] = ByteString(json)
        return try #require(try StructuredAttributes(derivation))
    }

    @Test func shellsGetWhatTheyCanHold() throws {
        let given = try attributes(
            #"""
            {"z":"it's","n":3,"f":1.5,"g":2.0,"yes":true,"no":false,"nothing":null,"list":[1,"a b",true],
             "set":{"k'":"v","j":2},"deep":{"a":{"b":1}},"mixed":[[1]],"not-a-name":"x","9":1}
            """#)
        let expected = """
            declare g=2
            declare -a list=(1 'a b' 1 )
            declare n=3
            declare no=
            declare nothing=''
            declare -A set=(['j']=2 ['k'\\''']='v' )
            declare yes=1
            declare z='it'\\''s'

            """
        #expect(String(decoding: given.shell, as: UTF8.self) == expected)
    }

    @Test func namesAreInOrder() throws {
        var given = try attributes(#"{"b":1,"a":{"d":1,"c":2}}"#)
        given.complete(outputs: ["out": "/nix/store/x"], graphs: [:])
        #expect(
            String(decoding: given.json, as: UTF8.self)
                == #"{"a":{"c":2,"d":1},"b":1,"outputs":{"out":"/nix/store/x"}}"#)
    }

    @Test func nonsenseIsRefused() throws {
        #expect(throws: BuildError.self) { try attributes("[1]") }
        #expect(throws: BuildError.self) { try attributes("{") }
    }
}
