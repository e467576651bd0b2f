/// Names that the evaluator itself looks for.
struct WellKnownNames {
    let functor, toString, outPath, drvPath, type, name, value, success, overrides, path, prefix, body: Symbol
    let args, builder, system, outputs, outputHash, outputHashAlgo, outputHashMode, structuredAttrs, ignoreNulls: Symbol
    let contentAddressed, impure, json: Symbol
    let startSet, operation, key, right, wrong, file, line, column, version: Symbol
    let allOutputs, derivation, url, sha256, hash, ref, rev, recursive, filter: Symbol
    let meta: Symbol

    init(_ symbols: SymbolTable) {
        func name(_ text: StaticString) -> Symbol { symbols.intern(text) }
        functor = name("__functor")
        toString = name("__toString")
        outPath = name("outPath")
        drvPath = name("drvPath")
        type = name("type")
        self.name = name("name")
        value = name("value")
        success = name("success")
        overrides = name("__overrides")
        path = name("path")
        prefix = name("prefix")
        body = name("body")
        args = name("args")
        builder = name("builder")
        system = name("system")
        outputs = name("outputs")
        outputHash = name("outputHash")
        outputHashAlgo = name("outputHashAlgo")
        outputHashMode = name("outputHashMode")
        structuredAttrs = name("__structuredAttrs")
        ignoreNulls = name("__ignoreNulls")
        contentAddressed = name("__contentAddressed")
        impure = name("__impure")
        json = name("__json")
        startSet = name("startSet")
        operation = name("operator")
        key = name("key")
        right = name("right")
        wrong = name("wrong")
        file = name("file")
        line = name("line")
        column = name("column")
        version = name("version")
        allOutputs = name("allOutputs")
        derivation = name("derivation")
        url = name("url")
        sha256 = name("sha256")
        hash = name("hash")
        ref = name("ref")
        rev = name("rev")
        recursive = name("recursive")
        filter = name("filter")
        meta = name("meta")
    }
}
