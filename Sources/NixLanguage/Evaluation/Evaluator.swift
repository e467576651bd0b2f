import CNixSupport
import NixStore
import Synchronization

/// One evaluation: its memory, names, sources, and the world as it may see it.
///
/// Everything is used from one thread, the one that `EvaluationThread` makes with a large stack.
final class Evaluator {
    let arena = Arena()
    let symbols: SymbolTable
    let positions = PositionTable()
    let contexts: ContextTable
    let names: WellKnownNames
    let settings: EvaluationSettings
    let host: any EvaluationHost
    let stack: StackLimit

    let baseEnvironment: Environment
    var baseSlots: [Symbol: Int] = [:]
    /// The builtins, which are not in the arena: they hold closures, and the arena gives back bytes only.
    var builtins: [UnsafeMutablePointer<Builtin>] = []
    /// The set `builtins`.
    var builtinsValue: ValueRef

    // MARK: What changes all the time

    var callDepth = 0
    let callDepthLimit: Int
    /// Calls that may still be made.
    var callsLeft: Int
    let showsTrace: Bool
    /// Asked at each call whether to go on.
    let interruption: Interruption
    /// Arguments of builtins that are being called.
    let arguments: UnsafeMutablePointer<ValueRef>
    var argumentCount = 0
    static let argumentLimit = 1 << 20

    // MARK: Kept results

    var failures: [EvaluationError] = []
    /// Files by their resolved paths.
    var files: [String: ValueRef] = [:]
    var resolvedImports: [String: String] = [:]
    var resolvedSearchPaths: [String: String?] = [:]
    var derivationHashes: [StorePath: Hash] = [:]
    var treePaths: [String: StorePath] = [:]
    var expressions: [Text: RegularExpression] = [:]

    // MARK: Values that all share

    let trueValue: ValueRef
    let falseValue: ValueRef
    let nullValue: ValueRef
    let emptyListValue: ValueRef
    let emptyStringValue: ValueRef
    let emptyAttributes: Attributes
    /// The string of one byte, for each byte.
    let singleBytes: UnsafeMutablePointer<ValueRef>

    /// Turn the number of a position into its line or column.
    let lineOfPosition: ValueRef
    let columnOfPosition: ValueRef

    static let slotLimit = 256

    init(
        host: any EvaluationHost, settings: EvaluationSettings, stack: StackLimit,
        interruption: Interruption = Interruption()
    ) {
        self.interruption = interruption
        self.host = host
        self.settings = settings
        self.stack = stack
        symbols = SymbolTable(arena)
        contexts = ContextTable(arena)
        names = WellKnownNames(symbols)
        callDepthLimit = settings.callDepthLimit
        callsLeft = settings.callLimit
        showsTrace = settings.showsTrace
        arguments = .allocate(capacity: Self.argumentLimit)
        trueValue = arena.value(.boolean(true))
        falseValue = arena.value(.boolean(false))
        nullValue = arena.value(.null)
        emptyListValue = arena.value(.emptyList)
        emptyStringValue = arena.value(.string(Text(arena, "")))
        emptyAttributes = Attributes(arena, capacity: 0)
        singleBytes = arena.allocate(ValueRef.self, count: 256)
        for byte in 0..<256 { singleBytes[byte] = arena.value(.string(Text(arena, [UInt8(byte)]))) }
        baseEnvironment = Environment(arena, slots: Self.slotLimit, up: nil)
        builtinsValue = nullValue
        lineOfPosition = arena.value()
        columnOfPosition = arena.value()
        positions.read = { [unowned host] path in try? host.readFile(path) }
        installBuiltins()
    }

    deinit {
        arguments.deallocate()
        for cell in builtins {
            cell.deinitialize(count: 1)
            cell.deallocate()
        }
    }

    // MARK: Limits

    @inline(__always)
    func checkStack(_ position: Position) throws {
        if stack.isReached { throw stackOverflow(position) }
    }

    @inline(never)
    func stackOverflow(_ position: Position) -> EvaluationError {
        EvaluationError(.stackOverflow, "stack overflow (possible infinite recursion)", at: position)
    }

    @inline(never)
    func callDepthExceeded(_ position: Position) -> EvaluationError {
        EvaluationError(.stackOverflow, "stack overflow; max-call-depth exceeded", at: position)
    }

    @inline(never)
    func callLimitExceeded(_ position: Position) -> EvaluationError {
        EvaluationError(.evaluation, "more function calls than the limit of \(settings.callLimit) allows", at: position)
    }

    @inline(never)
    func interrupted(_ position: Position) -> EvaluationError {
        EvaluationError(.interrupted, "interrupted by the user", at: position)
    }

    /// Counts a level of calls while `body` runs.
    @inline(__always)
    func deeper<Result>(_ position: Position, _ body: () throws -> Result) throws -> Result {
        if callDepth > callDepthLimit { throw callDepthExceeded(position) }
        if stack.isReached { throw stackOverflow(position) }
        callsLeft &-= 1
        if callsLeft < 0 { throw callLimitExceeded(position) }
        if interruption.isRequested.load(ordering: .relaxed) { throw interrupted(position) }
        callDepth &+= 1
        defer { callDepth &-= 1 }
        return try body()
    }

    // MARK: Errors

    /// Adds a frame to an error that passes by.
    @inline(never)
    func traced(_ error: any Error, _ position: Position, _ text: String, isAlwaysShown: Bool = false) -> any Error {
        let error = evaluationError(error)
        if !text.isEmpty { error.addTrace(position, text, isAlwaysShown: isAlwaysShown) }
        return error
    }

    /// Any error as one of the evaluation's.
    func evaluationError(_ error: any Error) -> EvaluationError {
        switch error {
        case let error as EvaluationError: return error
        case let error as HostError:
            return EvaluationError(error.code == .restricted ? .restricted : .file, error.reason)
        case let error as StoreError: return EvaluationError(.store, error.reason)
        default: return EvaluationError(.evaluation, String(describing: error))
        }
    }

    @inline(never)
    func typeError(_ expected: StaticString, _ value: Value, at position: Position = .none) -> EvaluationError {
        EvaluationError(
            .type, "expected \(expected) but found \(value.kindDescription): \(describe(value))", at: position)
    }

    /// A value as it stands in messages: short, and nothing is evaluated for it.
    func describe(_ value: Value) -> String {
        String(decoding: ValuePrinter(self, .error).print(value), as: UTF8.self)
    }
}

/// Ends an evaluation from another thread.
public final class Interruption: Sendable {
    let isRequested = Atomic(false)

    public init() {}

    public func request() { isRequested.store(true, ordering: .relaxed) }
    func forget() { isRequested.store(false, ordering: .relaxed) }
}

extension Text: Hashable {
    func hash(into hasher: inout Hasher) { hasher.combine(bytes: UnsafeRawBufferPointer(bytes)) }
}
