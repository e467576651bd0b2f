/// Where a value lives.
typealias ValueRef = UnsafeMutablePointer<Value>

/// A value of the language, or the promise of one, in two words.
///
/// The first word's low byte says which; the other 56 bits and the second word are its content. All pointers go into the
/// arena, so a value is copied like a number.
struct Value {
    enum Tag: UInt8 {
        case uninitialized
        case integer
        case float
        case boolean
        case null
        case string
        case path
        case attributes
        case list
        case lambda
        case builtin
        /// A builtin with some of its arguments.
        case partialBuiltin
        // From here on: not evaluated.
        case thunk
        /// A function and an argument that it will be applied to.
        case application
        /// A thunk that is being evaluated: to meet it is infinite recursion.
        case blackHole
        /// A thunk whose evaluation failed, with the error to throw again.
        case failed
    }

    var head: UInt64
    var payload: UInt64

    @inline(__always)
    init(head: UInt64, payload: UInt64) {
        self.head = head
        self.payload = payload
    }

    @inline(__always)
    private init(_ tag: Tag, extra: UInt64 = 0, payload: UInt64) {
        head = UInt64(tag.rawValue) | extra << 8
        self.payload = payload
    }

    @inline(__always)
    private init(_ tag: Tag, _ first: UnsafeRawPointer?, _ second: UnsafeRawPointer?) {
        self.init(tag, extra: UInt64(UInt(bitPattern: first)), payload: UInt64(UInt(bitPattern: second)))
    }

    @inline(__always) var tag: Tag { unsafeBitCast(UInt8(truncatingIfNeeded: head), to: Tag.self) }
    @inline(__always) var isEvaluated: Bool { UInt8(truncatingIfNeeded: head) < Tag.thunk.rawValue }

    /// What the 56 bits of the first word point to.
    @inline(__always) private var first: UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: UInt(head >> 8))
    }
    @inline(__always) private var second: UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: UInt(payload))
    }
}

// MARK: Making

extension Value {
    @inline(__always) static func integer(_ value: Int64) -> Value {
        Value(.integer, payload: UInt64(bitPattern: value))
    }
    @inline(__always) static func float(_ value: Double) -> Value { Value(.float, payload: value.bitPattern) }
    @inline(__always) static func boolean(_ value: Bool) -> Value { Value(.boolean, payload: value ? 1 : 0) }
    @inline(__always) static var null: Value { Value(.null, payload: 0) }
    @inline(__always) static func string(_ text: Text, context: Context = .none) -> Value {
        Value(.string, UnsafeRawPointer(context.pointer), text.pointer)
    }
    /// `text` must be an absolute path without `.`, `..` or doubled slashes.
    @inline(__always) static func path(_ text: Text) -> Value { Value(.path, nil, text.pointer) }
    @inline(__always) static func attributes(_ attributes: Attributes) -> Value {
        Value(.attributes, nil, attributes.pointer)
    }
    @inline(__always) static func list(_ elements: UnsafeMutablePointer<ValueRef>?, count: Int) -> Value {
        Value(.list, extra: UInt64(count), payload: UInt64(UInt(bitPattern: elements)))
    }
    @inline(__always) static var emptyList: Value { Value(.list, payload: 0) }
    @inline(__always) static func lambda(_ lambda: UnsafeMutablePointer<LambdaNode>, _ environment: Environment)
        -> Value
    {
        Value(.lambda, lambda, environment.pointer)
    }
    @inline(__always) static func builtin(_ builtin: UnsafeMutablePointer<Builtin>) -> Value {
        Value(.builtin, nil, builtin)
    }
    @inline(__always) static func partialBuiltin(_ function: ValueRef, _ argument: ValueRef) -> Value {
        Value(.partialBuiltin, function, argument)
    }
    @inline(__always) static func thunk(_ node: Node, _ environment: Environment) -> Value {
        Value(.thunk, node.pointer, environment.pointer)
    }
    @inline(__always) static func application(_ function: ValueRef, _ argument: ValueRef) -> Value {
        Value(.application, function, argument)
    }
    @inline(__always) static var blackHole: Value { Value(.blackHole, payload: 0) }
    @inline(__always) static func failed(_ index: Int) -> Value { Value(.failed, payload: UInt64(index)) }
}

// MARK: Reading. Each is for its own tag only.

extension Value {
    @inline(__always) var integer: Int64 { Int64(bitPattern: payload) }
    @inline(__always) var float: Double { Double(bitPattern: payload) }
    @inline(__always) var boolean: Bool { payload != 0 }
    @inline(__always) var text: Text { Text(pointer: second.unsafelyUnwrapped) }
    @inline(__always) var context: Context { Context(pointer: first?.assumingMemoryBound(to: UInt32.self)) }
    @inline(__always) var attributes: Attributes { Attributes(pointer: second.unsafelyUnwrapped) }
    @inline(__always) var listCount: Int { Int(head >> 8) }
    @inline(__always) var list: UnsafeMutableBufferPointer<ValueRef> {
        UnsafeMutableBufferPointer(start: second?.assumingMemoryBound(to: ValueRef.self), count: listCount)
    }
    @inline(__always) var lambda: UnsafeMutablePointer<LambdaNode> {
        first.unsafelyUnwrapped.assumingMemoryBound(to: LambdaNode.self)
    }
    @inline(__always) var environment: Environment { Environment(pointer: second.unsafelyUnwrapped) }
    @inline(__always) var builtin: UnsafeMutablePointer<Builtin> {
        second.unsafelyUnwrapped.assumingMemoryBound(to: Builtin.self)
    }
    /// The function of a partial builtin or an application.
    @inline(__always) var function: ValueRef { first.unsafelyUnwrapped.assumingMemoryBound(to: Value.self) }
    /// The argument of a partial builtin or an application.
    @inline(__always) var argument: ValueRef { second.unsafelyUnwrapped.assumingMemoryBound(to: Value.self) }
    @inline(__always) var node: Node { Node(pointer: first.unsafelyUnwrapped) }
    @inline(__always) var failureIndex: Int { Int(payload) }

    var isFunction: Bool { tag == .lambda || tag == .builtin || tag == .partialBuiltin }
}

// MARK: Naming

extension Value {
    /// The value's kind with its article, for messages.
    var kindDescription: String {
        switch tag {
        case .integer: "an integer"
        case .float: "a float"
        case .boolean: "a Boolean"
        case .null: "null"
        case .string: context.isEmpty ? "a string" : "a string with context"
        case .path: "a path"
        case .attributes: "a set"
        case .list: "a list"
        case .lambda: "a function"
        case .builtin: "the built-in function '\(builtin.pointee.name)'"
        case .partialBuiltin: "the partially applied built-in function '\(partialRoot.pointee.name)'"
        case .thunk, .application, .failed, .uninitialized: "a thunk"
        case .blackHole: "a black hole"
        }
    }

    /// The builtin at the root of a chain of partial applications.
    var partialRoot: UnsafeMutablePointer<Builtin> {
        var value = self
        while value.tag == .partialBuiltin { value = value.function.pointee }
        return value.builtin
    }

    /// The word that `builtins.typeOf` has for it.
    var typeName: StaticString {
        switch tag {
        case .integer: "int"
        case .float: "float"
        case .boolean: "bool"
        case .null: "null"
        case .string: "string"
        case .path: "path"
        case .attributes: "set"
        case .list: "list"
        default: "lambda"
        }
    }
}

/// The variables of one scope: a pointer to the scope around it, then a pointer to each variable's value.
struct Environment {
    let pointer: UnsafeMutableRawPointer

    @inline(__always) init(pointer: UnsafeMutableRawPointer) { self.pointer = pointer }

    @inline(__always) init(_ arena: Arena, slots: Int, up: Environment?) {
        pointer = arena.allocate(8 &* (slots &+ 1))
        pointer.storeBytes(of: UInt(bitPattern: up?.pointer), as: UInt.self)
    }

    @inline(__always) var up: Environment {
        Environment(pointer: UnsafeMutableRawPointer(bitPattern: pointer.load(as: UInt.self)).unsafelyUnwrapped)
    }

    @inline(__always) subscript(slot: Int) -> ValueRef {
        get { pointer.load(fromByteOffset: 8 &* (slot &+ 1), as: ValueRef.self) }
        nonmutating set { pointer.storeBytes(of: newValue, toByteOffset: 8 &* (slot &+ 1), as: ValueRef.self) }
    }

    /// The variable in `slot`, unless it has not been given a value yet.
    @inline(__always) func value(at slot: Int) -> ValueRef? {
        pointer.load(fromByteOffset: 8 &* (slot &+ 1), as: ValueRef?.self)
    }
}
