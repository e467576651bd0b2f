import NixStore
import Testing

@testable import NixBuild

@Suite struct ReferenceScannerTests {
    private static let first = try? StorePath("0123456789abcdfghijklmnpqrsvwxyz-first")
    private static let second = try? StorePath("zyxwvsrqpnmlkjihgfdcba9876543210-second")

    private func find(_ pieces: [String]) throws -> Set<StorePath> {
        let candidates = [try #require(Self.first), try #require(Self.second)]
        var scanner = ReferenceScanner(candidates)
        for piece in pieces { Array(piece.utf8).withUnsafeBytes { scanner.update($0) } }
        return scanner.found
    }

    @Test func wholeHashesAreFound() throws {
        let first = try #require(Self.first)
        #expect(try find(["/nix/store/\(first)/bin"]) == [first])
        #expect(try find(["x\(first.hashPart)"]) == [first])
        #expect(try find(["/nix/store/e123456789abcdfghijklmnpqrsvwxyz"]).isEmpty)
        #expect(try find([String(first.hashPart.dropLast())]).isEmpty)
    }

    @Test func hashesAcrossPiecesAreFound() throws {
        let (first, second) = (try #require(Self.first), try #require(Self.second))
        let text = "\(first.hashPart)...\(second.hashPart)"
        for length in 1...text.utf8.count {
            var pieces: [String] = []
            var rest = text[...]
            while !rest.isEmpty {
                pieces.append(String(rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            #expect(try find(pieces) == [first, second], "in pieces of \(length)")
        }
    }
}
