import Glibc
import NixLanguage
import NixStore

struct Program {
    let arguments: [String]

    func run() -> Int32 {
        var evaluation: Evaluation?
        var format = Evaluation.Format.classic
        var path = "", strict = false, parse = false
        var settings = EvaluationSettings()
        var args: [(name: String, value: Evaluation.Argument)] = []
        let host = LocalHost()
        var i = 1
        func next() -> String { i += 1; return arguments[i] }
        let cwd = host.environment("PWD") ?? "/"
        var isExpr = false
        var file: String?
        while i < arguments.count {
            switch arguments[i] {
            case "--eval", "instantiate": break
            case "eval": format = .modern
            case "--strict": strict = true
            case "--json": format = .json
            case "--xml": format = .xml(showsLocations: true)
            case "--no-location": format = .xml(showsLocations: false)
            case "--raw": format = .raw
            case "--parse": parse = true
            case "--show-trace": settings.showsTrace = true
            case "--no-show-trace": settings.showsTrace = false
            case "-E", "--expr": isExpr = true
            case "-A": path = next()
            case "--arg": let name = next(); args.append((name, .expression(next())))
            case "--argstr": let name = next(); args.append((name, .string(next())))
            case "-I": settings.searchPath.append(.init(parsing: next()))
            case "--max-call-depth": settings.callDepthLimit = Int(next())!
            case "--pure-eval": settings.isPure = true
            case "--impure": settings.isPure = false
            case "--drv": format = .derivationPath
            case "--extra-experimental-features": if next() == "parse-toml-timestamps" { settings.parsesTOMLTimestamps = true }
            case "--lint-url-literals": settings.lints.urlLiterals = .init(rawValue: next())!
            case "--lint-absolute-path-literals": settings.lints.absolutePathLiterals = .init(rawValue: next())!
            case "--lint-short-path-literals": settings.lints.shortPathLiterals = .init(rawValue: next())!
            case "--trace-verbose": settings.tracesVerbosely = true
            default: file = arguments[i]
            }
            i += 1
        }
        for entry in (host.environment("NIX_PATH") ?? "").split(separator: ":") { settings.searchPath.append(.init(parsing: String(entry))) }
        if parse { format = .parsed }
        guard let file else { return 2 }
        if file == "-" {
            var bytes: [UInt8] = []
            while let line = readLine(strippingNewline: false) { bytes += Array(line.utf8) }
            evaluation = Evaluation(.standardInput(bytes, basePath: cwd))
        } else if isExpr {
            evaluation = Evaluation(.expression(file, basePath: cwd))
        } else {
            evaluation = Evaluation(.file(file.hasPrefix("/") ? file : cwd + "/" + file))
        }
        evaluation!.format = format
        evaluation!.attributePath = path
        evaluation!.arguments = args
        evaluation!.isStrict = strict
        evaluation!.settings = settings
        switch evaluation!.run(on: host) {
        case .success(let bytes):
            _ = write(1, bytes, bytes.count)
            if case .raw = format {} else if case .xml = format {} else { _ = write(1, "\n", 1) }
            return 0
        case .failure(let failure):
            let m = failure.description + "\n"; _ = write(2, m, m.utf8.count)
            return 1
        }
    }
}
