/// A word of the language.
struct Token {
    enum Kind: Equatable {
        case end
        case identifier
        case integer
        case float
        /// A path without interpolation, or the first part of one with it.
        case path
        case homePath
        case searchPath
        case uri
        case quote
        case indentedQuote
        case dollarCurly
        case ifKeyword, thenKeyword, elseKeyword, assertKeyword, withKeyword, letKeyword, inKeyword, recKeyword
        case inheritKeyword, orKeyword
        case pipeFrom, pipeInto
        case ellipsis, equal, notEqual, lessOrEqual, greaterOrEqual, and, or, implies, update, concat
        /// Any other single byte.
        case symbol(UInt8)

        /// What a message calls it.
        var description: String {
            switch self {
            case .end: return "end of file"
            case .identifier: return "identifier"
            case .integer: return "integer"
            case .float: return "floating-point literal"
            case .path: return "path"
            case .homePath: return "'~/…' path"
            case .searchPath: return "'<…>' path"
            case .uri: return "URI"
            case .quote: return "'\"'"
            case .indentedQuote: return "start of an indented string"
            case .dollarCurly: return "'${'"
            case .ifKeyword: return "'if'"
            case .thenKeyword: return "'then'"
            case .elseKeyword: return "'else'"
            case .assertKeyword: return "'assert'"
            case .withKeyword: return "'with'"
            case .letKeyword: return "'let'"
            case .inKeyword: return "'in'"
            case .recKeyword: return "'rec'"
            case .inheritKeyword: return "'inherit'"
            case .orKeyword: return "'or'"
            case .pipeFrom: return "'<|'"
            case .pipeInto: return "'|>'"
            case .ellipsis: return "'...'"
            case .equal: return "'=='"
            case .notEqual: return "'!='"
            case .lessOrEqual: return "'<='"
            case .greaterOrEqual: return "'>='"
            case .and: return "'&&'"
            case .or: return "'||'"
            case .implies: return "'->'"
            case .update: return "'//'"
            case .concat: return "'++'"
            case .symbol(let byte):
                // The symbols that the grammar has; bison calls the rest invalid.
                if "{}[]()=;:,.@?!<>+-*/".utf8.contains(byte) { return "'\(Unicode.Scalar(byte))'" }
                return "invalid token"
            }
        }
    }

    var kind: Kind
    var start: Int
    var end: Int
}

extension Token.Kind {
    static func character(_ character: Unicode.Scalar) -> Token.Kind { .symbol(UInt8(ascii: character)) }
}
