import CommandLineKit
import Testing

/// The flags that the tests parse, and what came of it.
private struct Parsed {
    let set = FlagSet()
    let tty, interactive, remove: Flag<Bool>
    let name: Flag<String>
    let env, publish: Flag<[String]>
    let count: Flag<Int64>
    let memory: Flag<Int64>
    let wait: Flag<GoDuration>
    let labels: Flag<[String: String]>
    var rest: [String] = []

    init(_ arguments: [String], interspersed: Bool = true) throws {
        set.isInterspersed = interspersed
        tty = set.bool("tty", "t", "")
        interactive = set.bool("interactive", "i", "")
        remove = set.bool("rm", "")
        name = set.string("name", "n", "")
        env = set.strings("env", "e", "")
        publish = set.strings("publish", "p", "")
        count = set.int("count", "c", default: 7, "")
        memory = set.bytes("memory", "m", unlimited: true, "")
        wait = set.duration("wait", "")
        labels = set.map("label", "l", "")
        rest = try set.parse(arguments)
    }
}

@Suite struct FlagSetTests {
    @Test func longForms() throws {
        let parsed = try Parsed(["--name", "a", "--env=B=c", "--env", "-d", "--rm", "x"])
        #expect(parsed.name.value == "a" && parsed.env.value == ["B=c", "-d"] && parsed.remove.value)
        #expect(parsed.rest == ["x"])
    }

    @Test func clusters() throws {
        let parsed = try Parsed(["-it", "-tie", "A=1", "-p8080:80", "-e=X", "-n=", "img"])
        #expect(parsed.tty.value && parsed.interactive.value)
        #expect(parsed.env.value == ["A=1", "X"] && parsed.publish.value == ["8080:80"])
        // A single character after the letter is a value, even an equals sign.
        #expect(parsed.name.value == "=" && parsed.rest == ["img"])
    }

    @Test(arguments: [
        ("--rm=false", false), ("--rm=0", false), ("--rm=T", true), ("--rm=true", true), ("--rm", true),
    ]) func booleans(_ argument: String, _ value: Bool) throws {
        let parsed = try Parsed([argument])
        #expect(parsed.remove.value == value && parsed.remove.isSet)
    }

    @Test func stopsAtFirstArgument() throws {
        let parsed = try Parsed(["-t", "img", "-i", "--nonsense"], interspersed: false)
        #expect(parsed.tty.value && !parsed.interactive.value && parsed.rest == ["img", "-i", "--nonsense"])
    }

    @Test func interspersed() throws {
        let parsed = try Parsed(["a", "-t", "b", "--", "-i", "--x"])
        #expect(parsed.tty.value && !parsed.interactive.value && parsed.rest == ["a", "b", "-i", "--x"])
        #expect(parsed.set.argumentsBeforeDash == 2)
        #expect(try Parsed(["-"]).rest == ["-"] && Parsed([""]).rest == [""])
    }

    @Test func typedValues() throws {
        let parsed = try Parsed(["-c0x10", "-m", "-1", "--wait", "1m30s", "-l", "a=b", "-l", "c"])
        #expect(parsed.count.value == 16 && parsed.memory.value == -1)
        #expect(parsed.wait.value == .seconds(90) && parsed.labels.value == ["a": "b", "c": ""])
        #expect(try Parsed([]).count.value == 7 && Parsed(["-m1.5k"]).memory.value == 1536)
    }

    @Test(arguments: [
        (["--foo"], "unknown flag: --foo"), (["--foo=1"], "unknown flag: --foo"),
        (["-xyz"], "unknown shorthand flag: 'x' in -xyz"), (["-tx"], "unknown shorthand flag: 'x' in -tx"),
        (["--name"], "flag needs an argument: --name"), (["-tn"], "flag needs an argument: 'n' in -tn"),
        (["--=x"], "bad flag syntax: --=x"), (["---x"], "bad flag syntax: ---x"),
        (["--rm=x"], "invalid argument \"x\" for \"--rm\" flag: strconv.ParseBool: parsing \"x\": invalid syntax"),
        (
            ["-c", "y"],
            "invalid argument \"y\" for \"-c, --count\" flag: strconv.ParseInt: parsing \"y\": invalid syntax"
        ),
        (
            ["-c99999999999999999999"],
            "invalid argument \"99999999999999999999\" for \"-c, --count\" flag: "
                + "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"
        ),
        (["-m", "5zz"], "invalid argument \"5zz\" for \"-m, --memory\" flag: invalid suffix: 'zz'"),
        (["-m", "x"], "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'"),
        (["--wait=z"], "invalid argument \"z\" for \"--wait\" flag: time: invalid duration \"z\""),
    ]) func messages(_ arguments: [String], _ message: String) {
        let error = #expect(throws: FlagError.self) { try Parsed(arguments) }
        #expect(error?.message == message)
    }

    @Test func help() {
        for (argument, shorthand) in [("--help", false), ("-h", true)] {
            let error = #expect(throws: FlagError.self) { try Parsed([argument]) }
            #expect(error?.code == .help(shorthand: shorthand))
        }
    }

    @Test func helpText() {
        let set = FlagSet()
        set.bool("all", "a", "Show all")
        set.string("name", default: "x", "Its name")
        set.strings(
            "long-name-of-a-list", "Words that go on and on until they no longer fit into the line of a terminal")
        set.bool("secret", "Hidden").hidden()
        let text = set.help(width: 80)
        #expect(
            text == """
                  -a, --all                        Show all
                      --long-name-of-a-list list   Words that go on and on until they no
                                                   longer fit into the line of a terminal
                      --name string                Its name (default "x")

                """)
    }

    @Test func deprecation() throws {
        let set = FlagSet()
        var warnings: [String] = []
        set.warn = { warnings.append($0) }
        set.int("time", "Seconds").deprecated("use --timeout instead")
        _ = try set.parse(["--time", "3"])
        #expect(warnings == ["Flag --time has been deprecated, use --timeout instead"])
    }

    @Test func commandTree() throws {
        typealias Action = ([String]) -> String
        let list = Command<Action>("ls", "List", usage: "[OPTIONS]", arguments: .none) { flags in
            let all = flags.bool("all", "a", "All")
            return { _ in "list \(all.value)" }
        }
        let tree = CommandTree(
            name: "docker", commands: [Command("container", "Manage", subcommands: [list]), list])
        guard case .run(let action, let arguments, _, let path) = try tree.resolve(["container", "ls", "-a"]) else {
            Issue.record("not run")
            return
        }
        #expect(action(arguments) == "list true" && path == ["container", "ls"])
        func message(_ words: [String]) -> CommandLineError? {
            #expect(throws: CommandLineError.self) { try tree.resolve(words) }
        }
        #expect(
            message(["foo"])?.message
                == "docker: unknown command: docker foo\n\nRun 'docker --help' for more information")
        let complaint = message(["ls", "x"])
        #expect(
            complaint?.message == "docker: 'docker ls' accepts no arguments\n\nUsage:  docker ls [OPTIONS]\n\n"
                + "Run 'docker ls --help' for more information")
        #expect(complaint?.exitStatus == 1 && message(["ls", "--x"])?.exitStatus == 125)
    }
}
