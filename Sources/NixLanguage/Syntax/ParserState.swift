import CNixSupport

/// How many bytes of stack a parse or an evaluation may use, and where they end.
struct StackLimit {
    /// The lowest address that the stack may reach.
    var lowest: UInt

    @inline(__always) var isReached: Bool { UInt(dhow_stack_position()) < lowest }
}

/// Things that the parser can be told to complain about.
public struct LintSettings: Sendable {
    public enum Level: String, Sendable { case ignore, warn, fatal }

    public var urlLiterals = Level.ignore
    public var absolutePathLiterals = Level.ignore
    public var shortPathLiterals = Level.ignore

    public init() {}
}

/// What a parse needs from around it.
struct ParserContext {
    let arena: Arena
    let symbols: SymbolTable
    let positions: PositionTable
    let stack: StackLimit
    let lints: LintSettings
    /// The directory that relative paths begin at, absolute.
    let basePath: String
    /// The user's home directory, for a literal like `~/a`; throws where it may not be looked at.
    let home: (String) throws -> String
    let warn: (EvaluationError) -> Void
}
