// The syntax tree, in the arena: one struct a kind of expression, each beginning with a `NodeHeader`. Trees are read
// millions of times and never counted, which is why they are not classes.

/// Which struct a node is.
enum NodeKind: UInt8 {
    case constant
    case variable
    case withVariable
    case inheritFrom
    case select
    case hasAttribute
    case attributes
    case list
    case lambda
    case call
    case letIn
    case with
    case conditional
    case assertion
    case not
    case equal
    case notEqual
    case and
    case or
    case implies
    case update
    case concatLists
    case concatStrings
    case currentPosition
    case subtract
    case multiply
    case divide
    case lessThan
    /// Code of the evaluator's own, promised like an expression.
    case file
}

struct NodeHeader {
    let kind: NodeKind
    /// For the pass that is working on the node.
    var flags: UInt8 = 0
    var position: Position
}

/// A pointer to any node.
struct Node: Equatable {
    let pointer: UnsafeMutableRawPointer

    @inline(__always) init(pointer: UnsafeMutableRawPointer) { self.pointer = pointer }
    @inline(__always) init<T>(_ node: UnsafeMutablePointer<T>) { pointer = UnsafeMutableRawPointer(node) }

    @inline(__always) var kind: NodeKind { pointer.load(as: NodeKind.self) }
    @inline(__always) var position: Position { pointer.load(as: NodeHeader.self).position }
    @inline(__always) func of<T>(_ type: T.Type) -> UnsafeMutablePointer<T> { pointer.assumingMemoryBound(to: type) }
}

/// A list that grows in the arena; what it outgrows stays behind until the end.
struct ArenaList<Element> {
    private(set) var start: UnsafeMutablePointer<Element>?
    private(set) var count = 0
    private var capacity = 0

    init() {}

    mutating func append(_ element: Element, _ arena: Arena) {
        if count == capacity {
            capacity = capacity == 0 ? 4 : capacity * 2
            let larger = arena.allocate(Element.self, count: capacity)
            if let start { larger.moveInitialize(from: start, count: count) }
            start = larger
        }
        (start! + count).initialize(to: element)
        count += 1
    }

    mutating func removeAll() { count = 0 }
    mutating func removeLast() { count -= 1 }
    @inline(__always) var isEmpty: Bool { count == 0 }
    @inline(__always) var elements: UnsafeMutableBufferPointer<Element> {
        UnsafeMutableBufferPointer(start: start, count: count)
    }
    @inline(__always) subscript(index: Int) -> Element {
        get { start.unsafelyUnwrapped[index] }
        nonmutating set { start.unsafelyUnwrapped[index] = newValue }
    }
}

/// A number, a string or a path: its value is ready.
struct ConstantNode {
    var header: NodeHeader
    var value: Value
}

/// A variable, after resolution: so many scopes up, at that slot.
struct VariableNode {
    var header: NodeHeader
    var name: Symbol
    var depth: UInt32 = 0
    var slot: UInt32 = 0
    /// For a variable that no scope has: the innermost `with` around it.
    var with: UnsafeMutablePointer<WithNode>?
    /// For a variable of the evaluator's own: its value.
    var global: ValueRef?
}

/// What `inherit (e) a;` takes `a` from: a slot of the environment that holds those expressions.
struct InheritFromNode {
    var header: NodeHeader
    var slot: Int
}

/// One step of `a.b."c".${d}`: a name, or an expression for one.
struct AttributeName {
    var symbol: Symbol
    var expression: Node?
}

struct SelectNode {
    var header: NodeHeader
    var subject: Node
    var path: ArenaList<AttributeName>
    /// After `or`.
    var alternative: Node?
}

struct HasAttributeNode {
    var header: NodeHeader
    var subject: Node
    var path: ArenaList<AttributeName>
}

struct AttributeDefinition {
    enum Kind: UInt8 {
        case plain
        /// `inherit a;`: looked up around the set.
        case inherited
        /// `inherit (e) a;`: looked up in `e`.
        case inheritedFrom
    }
    var name: Symbol
    var position: Position
    var node: Node
    var kind: Kind
}

struct DynamicDefinition {
    var name: Node
    var node: Node
    var position: Position
}

/// `{ … }`, `rec { … }` and the bindings of `let`. Definitions are in order of their symbols after resolution, and the
/// slot of a recursive one is its place in that order.
struct AttributesNode {
    var header: NodeHeader
    var isRecursive = false
    var hasOverrides = false
    var definitions = ArenaList<AttributeDefinition>()
    var dynamic = ArenaList<DynamicDefinition>()
    var inheritFrom = ArenaList<Node>()
}

struct ListNode {
    var header: NodeHeader
    var elements: ArenaList<Node>
}

struct Formal {
    var name: Symbol
    var position: Position
    var fallback: Node?
}

struct LambdaNode {
    var header: NodeHeader
    /// What the function is called in messages: the attribute or variable that it was written for.
    var name: Symbol = .none
    /// `x` in `x: …` and `x@{ … }: …`.
    var argument: Symbol = .none
    var hasFormals = false
    var hasEllipsis = false
    /// In order of their symbols.
    var formals = ArenaList<Formal>()
    var body: Node

    @inline(__always) var slots: Int { (argument.isNone ? 0 : 1) &+ formals.count }
}

struct CallNode {
    var header: NodeHeader
    var function: Node
    var arguments: ArenaList<Node>
}

struct LetNode {
    var header: NodeHeader
    var attributes: UnsafeMutablePointer<AttributesNode>
    var body: Node
}

struct WithNode {
    var header: NodeHeader
    var scope: Node
    var body: Node
    /// The next `with` around this one, and how many scopes up from this one's.
    var outer: UnsafeMutablePointer<WithNode>?
    var outerDepth: UInt32 = 0
}

struct ConditionalNode {
    var header: NodeHeader
    var condition: Node
    var then: Node
    var otherwise: Node
}

struct AssertionNode {
    var header: NodeHeader
    var condition: Node
    var body: Node
}

struct UnaryNode {
    var header: NodeHeader
    var operand: Node
}

struct BinaryNode {
    var header: NodeHeader
    var left: Node
    var right: Node
}

/// `a - b` and its kind: Nix defines it as a call of `__sub`, which a program may redefine; resolution decides whether it
/// has.
struct ArithmeticNode {
    var header: NodeHeader
    var left: Node
    var right: Node
    /// The variable `__sub`, for when it is not the builtin.
    var function: UnsafeMutablePointer<VariableNode>
    var isBuiltin = true
}

struct StringPart {
    var position: Position
    var node: Node
}

/// `"a${b}"`, and `a + b`, which Nix defines through it.
struct ConcatStringsNode {
    var header: NodeHeader
    /// Whether the result is a string whatever the parts are.
    var isString: Bool
    var parts: ArenaList<StringPart>
}

struct PositionNode {
    var header: NodeHeader
}

/// The promise to evaluate a file.
struct FileNode {
    var header: NodeHeader
    var path: Text
}
