import Foundation
import JSON
import Testing

/// What SIGHUP changes in a daemon that runs.
@Suite struct ReloadTests {
    @Test func registriesAndLabelsAreTakenOver() throws {
        let scratch = try ScratchDirectory()
        let file = try scratch.write(
            #"{"registry-mirrors": ["http://127.0.0.1:1"], "labels": ["a=1"]}"#, to: "daemon.json")
        let daemon = try Daemon(["--config-file", file])
        defer { daemon.tearDown() }
        func mirrors() throws -> String {
            try daemon.check("info", "--format", "{{.RegistryConfig.Mirrors}} {{.Labels}}").text
        }
        #expect(try mirrors() == "[http://127.0.0.1:1/] [a=1]")
        let began = Int(Date().timeIntervalSince1970) - 1

        try scratch.write(
            #"""
            {"registry-mirrors": ["http://127.0.0.1:2"], "insecure-registries": ["registry.test:5000"], "labels": ["b=2"],
             "max-concurrent-downloads": 7}
            """#, to: "daemon.json")
        kill(daemon.pid, SIGHUP)
        #expect(try eventually { try mirrors() == "[http://127.0.0.1:2/] [b=2]" })
        let configs = try daemon.check("info", "--format", "{{json .RegistryConfig.IndexConfigs}}").text
        #expect(configs.contains(#""registry.test:5000""#))
        // The mirror is asked for what is pulled.
        let failed = try daemon.dhow("pull", "dhow-test-image:1")
        #expect(failed.status == 1 && !failed.stderr.contains("127.0.0.1:1/"), "\(failed.stderr)")
        let events = try daemon.check(
            "events", "--since", "\(began)", "--until", "\(Int(Date().timeIntervalSince1970) + 1)", "--filter",
            "type=daemon", "--format", "{{json .}}"
        ).lines
        #expect(events.count == 1 && events[0].contains(#""reload""#), "\(events)")
        #expect(events.first?.contains(#""max-concurrent-downloads":"7""#) == true, "\(events)")
    }

    @Test(arguments: [
        #"{"registry-mirrors": "#, #"{"max-concurrent-downloads": 0}"#, #"{"registry-mirrors": ["ftp://x"]}"#,
    ])
    func aWrongFileChangesNothing(text: String) throws {
        let scratch = try ScratchDirectory()
        let file = try scratch.write(#"{"registry-mirrors": ["http://127.0.0.1:1"]}"#, to: "daemon.json")
        let daemon = try Daemon(["--config-file", file])
        defer { daemon.tearDown() }
        try scratch.write(text, to: "daemon.json")
        kill(daemon.pid, SIGHUP)
        #expect(eventually { daemon.log.contains("cannot reload the configuration: ") }, "\(daemon.log)")
        let mirrors = try daemon.check("info", "--format", "{{.RegistryConfig.Mirrors}}").text
        #expect(mirrors == "[http://127.0.0.1:1/]")
    }
}
