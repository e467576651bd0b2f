import NixStore

/// Asks for the packages that an expression has, and prints what is wanted of each: `nix-env --query --available`.
public struct PackageQuery {
    public enum Format: Sendable { case table, json, xml }

    /// What is printed of each package, beside its name.
    public struct Columns: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }

        public static let attributePath = Self(rawValue: 1)
        public static let name = Self(rawValue: 2)
        public static let system = Self(rawValue: 4)
        public static let derivationPath = Self(rawValue: 8)
        public static let outputPaths = Self(rawValue: 16)
        public static let description = Self(rawValue: 32)
        /// In JSON and XML only.
        public static let meta = Self(rawValue: 64)
    }

    public var source: Evaluation.Source
    /// Which parts of the expression to look at; empty for all of it.
    public var attributePaths: [String] = []
    public var arguments: [(name: String, value: Evaluation.Argument)] = []
    public var settings = EvaluationSettings()
    public var format = Format.table
    public var columns: Columns = .name
    /// Names, or regular expressions of names, with a version or without; empty for all.
    public var selectors: [String] = []
    /// Only packages for this platform.
    public var system: String?

    public init(_ source: Evaluation.Source) { self.source = source }

    /// - Returns: what to print, and what else to tell the user.
    public func run(on host: any EvaluationHost) -> Result<(output: [UInt8], notes: [String]), Evaluation.Failure> {
        var evaluation = Evaluation(source)
        evaluation.settings = settings
        evaluation.arguments = arguments
        return evaluation.onEvaluator(of: host) { evaluator, root, given in
            var walk = PackageWalk(evaluator, given)
            for path in attributePaths.isEmpty ? [""] : attributePaths {
                try walk.walk(try evaluator.select(path, from: root, given), at: path)
            }
            let packages = try chosen(walk.packages, evaluator)
            var printer = PackagePrinter(evaluator, columns)
            switch format {
            case .table: return (try printer.table(packages), printer.notes)
            case .json: return (try printer.json(packages), printer.notes)
            case .xml: return (try printer.xml(packages), printer.notes)
            }
        }
    }

    /// The packages that are asked for, in order of names, whatever their case.
    private func chosen(_ all: [Package], _ evaluator: Evaluator) throws -> [Package] {
        var packages = all
        if let system { packages = try packages.filter { try $0.system() == system } }
        if !selectors.isEmpty {
            let selectors = try selectors.map { try PackageSelector($0, evaluator) }
            // Selector by selector, as far as that matters for packages of the same name.
            var isChosen = Array(repeating: false, count: packages.count)
            var chosen: [Package] = []
            for selector in selectors {
                var isMet = false
                for (index, package) in packages.enumerated() where try selector.matches(package) {
                    isMet = true
                    if !isChosen[index] { chosen.append(package) }
                    isChosen[index] = true
                }
                guard isMet else {
                    throw EvaluationError(.evaluation, "selector '\(selector.text)' matches no derivations")
                }
            }
            packages = chosen
        }
        return PackageOrder.sorted(packages)
    }
}

/// What packages are meant by a word of the command line: `hello`, `hello-2.1`, `.*`, `python.*-3`.
struct PackageSelector {
    let text: String
    private let evaluator: Evaluator
    private let expression: RegularExpression?
    private let version: [UInt8]

    init(_ text: String, _ evaluator: Evaluator) throws {
        self.text = text
        self.evaluator = evaluator
        let bytes = Text(evaluator.arena, text)
        let (name, version) = VersionBuiltins.split(bytes.bytes)
        self.version = Array(version)
        expression = text == "*" ? nil : try evaluator.regularExpression(Text(evaluator.arena, Array(name)))
    }

    func matches(_ package: Package) throws -> Bool {
        guard let expression else { return true }
        let (name, own) = package.nameParts
        guard version.isEmpty || version.elementsEqual(own.bytes) else { return false }
        var isMatched = false
        try PatternMatcher.with(expression, name.bytes, evaluator.stack) { matcher in
            isMatched = try matcher.matchWhole() != nil
        }
        return isMatched
    }
}
