/// Why a command line was not understood. The sentences are those of pflag, which Docker's users know.
public struct FlagError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// `--help`, or `-h` where no flag takes that letter, was given. Not a mistake: print the help.
        case help(shorthand: Bool)
        /// There is no such flag.
        case unknownFlag
        /// The flag needs a value and none follows.
        case missingValue
        /// The value does not fit the flag.
        case invalidValue
        /// Something like `--=x`.
        case badSyntax
        /// Too few or too many arguments.
        case arguments
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// A value that its flag refuses; `FlagSet` puts the flag's name before it.
    public static func invalid(_ reason: String) -> FlagError { FlagError(.invalidValue, reason) }

    public var description: String { message }
}
