import CommandLineKit
import Commands
import JSON
import Testing

/// The request that `run` would send for these options, as JSON.
private func request(_ arguments: [String]) throws -> JSONValue {
    let set = FlagSet(isInterspersed: false)
    let flags = CreateFlags(set)
    let rest = try set.parse(arguments)
    return try CreateRequest(flags, arguments: rest).request.json
}

/// Follows a path of members, as `HostConfig.NanoCpus`.
private func member(_ value: JSONValue, _ path: String) -> JSONValue? {
    path.split(separator: ".").reduce(value) { $0?[String($1)] }
}

// What Docker's own client (28.2) sends for the same options, recorded by a server that only listens.
@Suite struct CreateRequestTests {
    @Test(arguments: [
        ("img", "Image", "\"img\""), ("img sh -c x", "Cmd", "[\"sh\",\"-c\",\"x\"]"), ("img", "Entrypoint", "null"),
        ("--entrypoint= img", "Entrypoint", "[\"\"]"), ("-it img", "StdinOnce", "true"),
        ("img", "AttachStdout", "true"),
        ("-a stdin img", "AttachStdout", "false"), ("-e A=1 -e B=2 -e A=3 img", "Env", "[\"A=3\",\"B=2\"]"),
        ("--cpus 1.5 img", "HostConfig.NanoCpus", "1500000000"), ("-m 64m img", "HostConfig.Memory", "67108864"),
        ("--memory-swap -1 img", "HostConfig.MemorySwap", "-1"), ("img", "HostConfig.MemorySwappiness", "-1"),
        ("-v /a:/b:ro img", "HostConfig.Binds", "[\"/a:/b:ro\"]"), ("-v /a:/b img", "Volumes", "{}"),
        ("-v /anonymous img", "Volumes", "{\"/anonymous\":{}}"),
        ("--tmpfs /t:size=1m --tmpfs /u img", "HostConfig.Tmpfs", "{\"/t\":\"size=1m\",\"/u\":\"\"}"),
        ("-p 8080:80 img", "HostConfig.PortBindings", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}"),
        (
            "-p [::1]:8000-8001:80/udp img", "HostConfig.PortBindings",
            "{\"80/udp\":[{\"HostIp\":\"::1\",\"HostPort\":\"8000-8001\"}]}"
        ),
        ("--expose 5 img", "ExposedPorts", "{\"5/tcp\":{}}"),
        ("--ulimit nofile=1:2 img", "HostConfig.Ulimits", "[{\"Name\":\"nofile\",\"Hard\":2,\"Soft\":1}]"),
        (
            "--device /dev/null:/dev/x:rw img", "HostConfig.Devices",
            "[{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/x\",\"CgroupPermissions\":\"rw\"}]"
        ),
        (
            "--device v.com/c=d img", "HostConfig.DeviceRequests",
            "[{\"Driver\":\"cdi\",\"Count\":0,\"DeviceIDs\":[\"v.com/c=d\"],\"Capabilities\":null,\"Options\":null}]"
        ),
        ("--cap-add net_admin --cap-drop ALL img", "HostConfig.CapAdd", "[\"CAP_NET_ADMIN\"]"),
        ("--restart on-failure:3 img", "HostConfig.RestartPolicy", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}"),
        (
            "--mount type=bind,src=/a,dst=/b,ro img", "HostConfig.Mounts",
            "[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}]"
        ),
        (
            "--mount type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=1777 img", "HostConfig.Mounts",
            "[{\"Type\":\"tmpfs\",\"Target\":\"/b\",\"TmpfsOptions\":{\"SizeBytes\":1048576,\"Mode\":1023}}]"
        ),
        (
            "--health-cmd true --health-interval 5s img", "Healthcheck",
            "{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":5000000000}"
        ),
        ("--no-healthcheck img", "Healthcheck", "{\"Test\":[\"NONE\"]}"),
        ("img", "HostConfig.NetworkMode", "\"default\""),
        ("--net container:x img", "NetworkingConfig.EndpointsConfig", "{}"),
        ("--stop-timeout 0 img", "StopTimeout", "0"), ("--init=false img", "HostConfig.Init", "false"),
        ("--add-host a=[::1] img", "HostConfig.ExtraHosts", "[\"a:::1\"]"),
        ("--security-opt systempaths=unconfined img", "HostConfig.MaskedPaths", "[]"),
    ]) func sends(_ line: String, _ path: String, _ expected: String) throws {
        let value = try request(line.split(separator: " ").map(String.init))
        #expect(member(value, path) == (try JSONValue(parsing: expected)))
    }

    @Test(arguments: [
        ("--rm --restart always img", "conflicting options: cannot specify both --restart and --rm"),
        ("--memory-swappiness 101 img", "invalid value: 101. Valid memory swappiness range is 0-100"),
        ("-v : img", ""), ("-v a::b img", "invalid spec: a::b: empty section between colons"),
        ("-p 99999:80 img", "invalid hostPort: 99999"), ("-p 80/xyz img", "invalid proto: xyz"),
        ("-p 80-81:90-95 img", "invalid ranges specified for container and host Ports: 90-95 and 80-81"),
        ("--expose 1:2 img", "invalid port format for --expose: 1:2"), ("--pid foo img", "--pid: invalid PID mode"),
        ("--log-driver none --log-opt a=b img", "invalid logging opts for driver none"),
        ("--no-healthcheck --health-cmd x img", "--no-healthcheck conflicts with --health-* options"),
        (
            "--network a --network host img",
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes"
        ),
        ("--network a --network a img", "network \"a\" is specified multiple times"),
        ("--env-file /nonexistent img", "open /nonexistent: no such file or directory"),
        ("--security-opt foo img", "Invalid --security-opt: \"foo\""),
    ]) func refuses(_ line: String, _ message: String) {
        let error = Result { try request(line.split(separator: " ").map(String.init)) }
        guard case .failure(let failure) = error else {
            #expect(message.isEmpty, "\(line) was accepted")
            return
        }
        #expect((failure as? CommandLineError)?.message == message)
    }

    @Test(arguments: [
        "--mount dst", "--mount type=bind,src=/a", "--mount type=bind,dst=/x,volume-nocopy", "--ulimit foo=1",
        "--ulimit nofile=3:2", "--cpus x", "--cpus 0.0000000001", "--device-cgroup-rule x", "--dns foo", "--add-host a",
        "--sysctl kernel.foo=1", "--gpus x=1", "--blkio-weight-device /dev/sda:1", "--network name=a,b=c", "-a foo",
        "-e =x",
    ]) func refusesValues(_ line: String) {
        #expect(throws: FlagError.self) { try request(line.split(separator: " ").map(String.init) + ["img"]) }
    }

    @Test func detachKeys() throws {
        let keys = try DetachKeys.parse("ctrl-p,ctrl-q")
        let others = try DetachKeys.parse("ctrl-@,a,ctrl-_")
        #expect(keys == [16, 17] && others == [0, 97, 31])
        #expect(throws: CommandLineError.self) { try DetachKeys.parse("ctrl-1") }
        var watcher = DetachKeys(keys: keys)
        #expect(watcher.filter([1, 16]).passed == [1])
        // The first key was held back; what follows shows that it was meant for the process.
        let (passed, isDetached) = watcher.filter([2, 16, 16, 17])
        #expect(passed == [16, 2, 16] && isDetached)
    }
}
