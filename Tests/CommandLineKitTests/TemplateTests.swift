import CommandLineKit
import JSON
import Testing

private let data: JSONValue = [
    "Name": "web", "Count": 3, "Ratio": 1.5, "Up": true, "Nothing": .null, "Empty": [],
    "List": ["a", "b", "c"], "Map": ["z": 1, "a": "x"], "State": ["Pid": 42, "Deep": ["Er": "yes"]],
    "Mounts": [["To": "/a", "RW": true], ["To": "/b", "RW": false]],
]

@Suite struct TemplateTests {
    // What Go's text/template prints for the same data.
    @Test(arguments: [
        ("plain", "plain"), ("{{.Name}}", "web"), ("{{ .State.Pid }}", "42"), ("{{.Nope}}", "<no value>"),
        ("{{.Map}} {{.List}} {{.Up}} {{.Ratio}}", "map[a:x z:1] [a b c] true 1.5"),
        ("{{json .Map}}", "{\"z\":1,\"a\":\"x\"}"), ("{{json .Name}}", "\"web\""),
        ("{{upper .Name}} {{lower \"AB\"}} {{title .Name}}", "WEB ab Web"),
        ("{{join .List \",\"}} {{len .List}} {{len .Name}}", "a,b,c 3 3"),
        ("{{index .List 1}} {{index .Map \"a\"}} {{index .List 0 | upper}}", "b x A"),
        ("{{range .List}}[{{.}}]{{end}}", "[a][b][c]"),
        ("{{range $i, $e := .List}}{{$i}}={{$e}} {{end}}", "0=a 1=b 2=c "),
        ("{{range $k, $v := .Map}}{{$k}}:{{$v}};{{end}}", "a:x;z:1;"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{range .List}}{{if eq . \"b\"}}{{continue}}{{end}}{{if eq . \"c\"}}{{break}}{{end}}{{.}}{{end}}", "a"),
        ("{{range .Mounts}}{{.To}}:{{if .RW}}rw{{else}}ro{{end}} {{end}}", "/a:rw /b:ro "),
        ("{{if .Nothing}}1{{else if .Up}}2{{else}}3{{end}}", "2"),
        ("{{with .State}}{{.Pid}} {{$.Name}}{{end}}", "42 web"), ("{{with .Nothing}}x{{else}}y{{end}}", "y"),
        ("{{$x := .Name}}{{$x}}{{$x = \"q\"}}{{$x}}", "webq"),
        ("{{if and .Up (gt .Count 2)}}ok{{end}}{{or .Nothing .Name}}{{not .Up}}", "okwebfalse"),
        ("{{eq .Name \"x\" \"web\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{ge 1 2}}", "true true true true false"),
        (
            "{{printf \"%s-%d %5.1f|%-4s|%04d|%q|%v|%x\" .Name .Count .Ratio \"a\" 7 \"q\" .List 255}}",
            "web-3   1.5|a   |0007|\"q\"|[a b c]|ff"
        ),
        ("{{print 1 2 \"a\" \"b\" 3}}|{{println 1 \"a\"}}", "1 2ab3|1 a\n"),
        ("{{printf \"%d\" \"a\"}}{{printf \"%s\"}}{{printf \"\" 1}}", "%!d(string=a)%!s(MISSING)%!(EXTRA int=1)"),
        ("{{printf \"%.*s|%*d|%*d\" -1 \"ab\" 3 1 -3 2}}", "%!(BADPREC)ab|  1|2  "),
        ("a {{- .Name -}} b", "aweb" + "b"), ("x{{/* no */}}y", "xy"), ("x {{- /* no */ -}} y", "xy"),
        ("{{pad .Name 1 2}}|{{truncate .Name 2}}|{{split \"a/b\" \"/\"}}", " web  |we|[a b]"),
        ("{{slice .Name 1}} {{slice .Name 0 2}}", "eb we"), ("{{(index .Mounts 1).To}}", "/b"),
        ("{{define \"T\"}}<{{.}}>{{end}}{{template \"T\" .Name}}", "<web>"), ("{{`raw`}}{{'a'}}", "raw97"),
        ("{{.State.Deep.Er | printf \"%s!\"}}", "yes!"), ("{{\"\\t\\\"\\u00e9\"}}", "\t\"é"),
    ]) func prints(_ source: String, _ expected: String) throws {
        #expect(try Template(source).render(data) == expected)
    }

    @Test(arguments: [
        ("{{.ID", "template: :1: unclosed action"), ("{{foo .ID}}", "template: :1: function \"foo\" not defined"),
        ("{{if .X}}", "template: :1: unexpected EOF"), ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{$x}}", "template: :1: undefined variable \"$x\""),
        ("\n{{\"a}}", "template: :2: unterminated quoted string"),
        ("{{}}", "template: :1: missing value for command"), ("{{.X |}}", "template: :1: missing value for command"),
        ("{{break}}", "template: :1: {{break}} outside {{range}}"),
    ]) func refuses(_ source: String, _ message: String) {
        let error = #expect(throws: TemplateError.self) { try Template(source) }
        #expect(error?.message == message)
    }

    @Test(arguments: [
        ("{{.Foo}}", "template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type *T"),
        (
            "{{index .List 9}}",
            "template: :1:2: executing \"\" at <index .List 9>: error calling index: index out of range: 9"
        ),
        ("{{.Name.X}}", "template: :1:7: executing \"\" at <.Name.X>: can't evaluate field X in type string"),
        ("{{lt .Up 1}}", "template: :1:2: executing \"\" at <lt .Up 1>: error calling lt: invalid type for comparison"),
        (
            "{{range .Count | print}}{{end}}",
            "template: :1:8: executing \"\" at <.Count | print>: range can't iterate over 3"
        ),
    ]) func fails(_ source: String, _ message: String) throws {
        let template = try Template(source)
        let error = #expect(throws: TemplateError.self) { try template.render(data, missing: .failure(type: "*T")) }
        #expect(error?.message == message)
    }

    /// What Go's structures have though the JSON lacks it, and maps of strings.
    @Test func absentFields() throws {
        let value = try JSONValue(parsing: #"{"Labels":{"a":"b"},"None":null,"Counts":{"a":1}}"#)
        func render(_ source: String) throws -> String {
            try Template(source).render(
                value, missing: .missingKey, empty: { $0 == "Health" ? "<nil>" : nil },
                absent: { object, name in object["Labels"] != nil && name == "Health" ? .some(.null) : nil })
        }
        #expect(try render("{{if .Health}}{{.Health.Status}}{{else}}none{{end}} {{.Health}}") == "none <nil>")
        #expect(throws: TemplateError.self) { try render("{{.Counts.Health}}") }
        #expect(throws: TemplateError.self) { try render("{{.Other}}") }
        #expect(try render(#"{{index .Labels "x"}}|{{index .None "x"}}|{{index .Labels "a"}}"#) == "||b")
        #expect(try render(#"{{index .Counts "x"}}"#) == "<no value>")
    }

    @Test func methods() throws {
        let text = try Template("{{.Label \"a\"}}|{{.Label}}").render(
            data, methods: ["Label": { .string("<" + ($0.first?.string ?? "") + ">") }])
        #expect(text == "<a>|<>")
    }

    // An error inside leaves the blocks around it with the variables that they count on.
    @Test(arguments: [
        "{{range $i, $m := .List}}{{block \"a\" .}}", "{{range $i, $m := .List}}{{define \"a\"}}{{",
        "{{define \"a\"}}{{index 1 1}}{{end}}{{range $i, $m := .List}}{{template \"a\"}}{{end}}",
        "{{define \"a\"}}{{index 1 1}}{{end}}{{range $i, $m := .List}}{{if $x := 1}}{{template \"a\"}}{{end}}{{end}}",
    ]) func errorsInDefinitions(_ source: String) {
        #expect(throws: TemplateError.self) { try Template(source).render(data) }
    }

    /// A few words must not fill the memory, overflow the stack or run for ever.
    @Test(arguments: [
        "{{range 99999999999}}{{end}}",
        "{{range 1000000}}{{range 1000000}}x{{end}}{{end}}",
        "{{$x := \"0123456789abcdef\"}}{{range 40}}{{$x = print $x $x}}{{end}}{{$x}}",
        "{{range 100000}}{{printf \"%1000000d\" 1}}{{end}}",
        "{{printf \"" + String(repeating: "%1000000s", count: 100) + "\"" + String(repeating: " \"a\"", count: 100)
            + "}}",
        "{{define \"a0\"}}{{end}}"
            + (1..<100).map {
                "{{define \"a\($0)\"}}{{template \"a\($0 - 1)\"}}{{template \"a\($0 - 1)\"}}{{end}}"
            }.joined() + "{{template \"a99\"}}",
        "{{define \"a\"}}" + String(repeating: "{{if 1}}", count: 180) + "{{template \"a\"}}"
            + String(repeating: "{{end}}", count: 180) + "{{end}}{{template \"a\"}}",
        "{{if 0}}" + String(repeating: "{{else if 0}}", count: 100_000) + "{{end}}",
    ]) func greedy(_ source: String) {
        let error = #expect(throws: TemplateError.self) { try Template(source).render(data) }
        #expect(
            error?.message.contains("nests deeper") == true || error?.message.contains("nested deeper") == true
                || error?.message.contains("too long") == true || error?.message.contains("come to an end") == true)
    }

    /// Whatever the text, a template is refused or rendered; it neither traps nor overflows the stack.
    @Test func hostile() {
        let pieces = [
            "{{", "}}", "-", " ", "if", "range", "end", "else", "with", ".A", "$x", ":=", "(", ")", "|", "\"", "`",
            "1", "'", "/*", "*/", "index", "printf", ",", "é", "\n",
        ]
        var state: UInt64 = 88_172_645_463_325_252
        func next() -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(pieces.count))
        }
        for _ in 0..<20_000 {
            let source = (0..<12).map { _ in pieces[next()] }.joined()
            _ = try? Template(source).render(data)
        }
        let deep = String(repeating: "{{if .Up}}", count: 100_000)
        #expect(throws: TemplateError.self) { try Template(deep) }
        #expect(throws: TemplateError.self) { try Template("{{" + String(repeating: "(", count: 100_000)) }
        #expect(throws: TemplateError.self) {
            try Template("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}").render(data)
        }
    }
}
