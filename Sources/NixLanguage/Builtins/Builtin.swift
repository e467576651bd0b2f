/// A function of the evaluator's own.
struct Builtin {
    typealias Arguments = UnsafeMutablePointer<ValueRef>
    typealias Function = (Evaluator, Arguments) throws -> Value

    /// As in `builtins.NAME`.
    let name: String
    let arity: Int
    /// Whether it is called `NAME` everywhere, and not only `__NAME`.
    let isGlobal: Bool
    /// Whether errors in it name it.
    let isTraced: Bool
    let function: Function

    init(
        _ name: String, _ arity: Int, isGlobal: Bool = false, isTraced: Bool = true, _ function: @escaping Function
    ) {
        self.name = name
        self.arity = arity
        self.isGlobal = isGlobal
        self.isTraced = isTraced
        self.function = function
    }
}

extension Evaluator {
    /// The version of Nix whose language this is.
    static let nixVersion = "2.31.0"
    static let languageVersion: Int64 = 6

    /// Fills the outermost scope and the set `builtins`.
    func installBuiltins() {
        let groups: [[Builtin]] = [
            ControlBuiltins.all, TypeBuiltins.all, ListBuiltins.all, AttributeBuiltins.all, StringBuiltins.all,
            ArithmeticBuiltins.all, ContextBuiltins.all, VersionBuiltins.all, HashBuiltins.all, ConversionBuiltins.all,
            FileBuiltins.all, ImportBuiltins.all, DerivationBuiltins.all, FetchBuiltins.all, PatternBuiltins.all,
        ]
        let attributes = Attributes(arena, capacity: Self.slotLimit)
        var slot = 0
        func define(_ name: String, _ value: ValueRef) {
            baseEnvironment[slot] = value
            baseSlots[symbols.intern(name)] = slot
            slot += 1
        }
        func constant(_ name: String, _ value: Value, isGlobal: Bool = false) {
            let reference = arena.value(value)
            define(isGlobal ? name : "__" + name, reference)
            attributes.append(symbols.intern(name), reference)
        }

        builtinsValue = arena.value(.attributes(attributes))
        define("builtins", builtinsValue)
        attributes.append(symbols.intern("builtins"), builtinsValue)
        for (name, value) in [("true", trueValue), ("false", falseValue), ("null", nullValue)] {
            define(name, value)
            attributes.append(symbols.intern(name), value)
        }
        if !settings.isPure {
            constant("currentTime", .integer(host.currentTime))
            constant("currentSystem", string(host.currentSystem))
        }
        constant("nixVersion", string(Self.nixVersion))
        constant("storeDir", string(host.store.path))
        constant("langVersion", .integer(Self.languageVersion))
        constant(
            "nixPath",
            list(
                settings.searchPath.map { entry in
                    arena.value(
                        set([
                            (names.path, arena.value(string(entry.path))),
                            (names.prefix, arena.value(string(entry.prefix))),
                        ]))
                }))
        for builtin in groups.joined() {
            constant(builtin.name, hidden(builtin), isGlobal: builtin.isGlobal)
        }
        let derivation = arena.value()
        define("derivation", derivation)
        attributes.append(names.derivation, derivation)
        attributes.sort()
        lineOfPosition.pointee = hidden(
            Builtin("lineOf", 1) { evaluator, arguments in
                .integer(Int64(evaluator.location(arguments[0]).map(\.line) ?? 0))
            })
        columnOfPosition.pointee = hidden(
            Builtin("columnOf", 1) { evaluator, arguments in
                .integer(Int64(evaluator.location(arguments[0]).map(\.column) ?? 0))
            })
        derivation.pointee = .thunk(internalNode("derivation-internal.nix", InternalCode.derivation), baseEnvironment)
    }

    /// A builtin that has no name in the language, unless somebody gives it one.
    private func hidden(_ builtin: Builtin) -> Value {
        let cell = UnsafeMutablePointer<Builtin>.allocate(capacity: 1)
        cell.initialize(to: builtin)
        builtins.append(cell)
        return .builtin(cell)
    }

    private func location(_ raw: ValueRef) -> SourceLocation? {
        positions.location(Position(raw: UInt32(truncatingIfNeeded: raw.pointee.integer)))
    }

    /// Code of the evaluator's own, parsed.
    func internalNode(_ name: String, _ code: StaticString) -> Node {
        let text = Array(UnsafeBufferPointer(start: code.utf8Start, count: code.utf8CodeUnitCount))
        do { return try parse(text, origin: .builtin(name), basePath: "/") } catch {
            preconditionFailure("the evaluator's own code must parse: \(evaluationError(error).message)")
        }
    }
}
