import Foundation
import JSON
import Testing

/// dhow-runtime under engines that are not Dhow.
@Suite(.serialized) struct OtherEnginesTests {
    @Test(.enabled(if: Shell.exists("podman"), "podman is installed by make setup")) func podmanRunsContainersWithIt()
        throws
    {
        let scratch = try ScratchDirectory("podman")
        let podman = [
            "podman", "--root", scratch.file("root"), "--runroot", scratch.file("run"), "--cgroup-manager", "cgroupfs",
            "--runtime", Programs.runtime,
        ]
        defer {
            _ = try? Shell.run(podman + ["rm", "-fa"])
            _ = try? Shell.run(podman + ["rmi", "-fa"])
            _ = try? Shell.sh("grep -o ' \(scratch.path)[^ ]*' /proc/self/mountinfo | sort -r | xargs -r umount -l")
        }
        // Podman asks for its own limits, which takes CAP_SYS_RESOURCE, unless it is given some.
        let limits = ["--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000", "--network", "none"]
        try Shell.check(podman + ["import", try Images.rootTar.get(), "busybox"])
        let output = try Shell.run(
            podman + ["run", "--rm"] + limits + ["busybox", "sh", "-c", "echo from podman; exit 6"])
        #expect(output.status == 6 && output.text.hasSuffix("from podman"), "\(output)")
        try Shell.check(podman + ["run", "-d", "--name", "p"] + limits + ["busybox", "sleep", "1000"])
        #expect(try Shell.check(podman + ["exec", "p", "cat", "/proc/1/comm"]).text == "sleep")
        try Shell.check(podman + ["kill", "p"])
    }

    @Test(.enabled(if: Shell.exists("runc"), "runc is installed by make setup")) func theSameBundleLooksTheSameToRunc()
        throws
    {
        let scratch = try ScratchDirectory("bundle")
        try Shell.sh("mkdir -p \(scratch.path)/rootfs; tar -C \(scratch.path)/rootfs -xf \(try Images.rootTar.get())")
        try Shell.check(["runc", "spec"], directory: scratch.path)
        var spec =
            try JSONValue(parsing: String(contentsOfFile: scratch.file("config.json"), encoding: .utf8)).object
            ?? JSONObject()
        var process = spec["process"]?.object ?? JSONObject()
        process["terminal"] = false
        process["args"] = [
            "/bin/sh", "-c",
            "id; pwd; env | sort; grep -vE 'Sig|NStgid|ctxt|^Pid|^Tgid|^Ngid|^NSpid|^NSpgid|^NSsid|Vm|Rss|Cpus|Mems|THP|SigQ|Thread|x86|untag|FDSize|HugetlbPages|CoreD' /proc/self/status; cat /proc/self/mountinfo | cut -d' ' -f4-6 | sed 's/size=[^ ]*//' | grep -v cgroup | sed 's#^/null \\(.*\\) r[ow],#/null \\1 #'; ls -la /dev | awk '{print $1,$3,$4,$NF}' | grep -v total; cat /proc/self/limits; ulimit -a; hostname; ls /proc/self/fd | wc -l",
        ]
        spec["process"] = .object(process)
        try scratch.write(JSONValue.object(spec).serialized(.pretty), to: "config.json")
        let theirs = try Shell.run(["runc", "--root", scratch.file("runc"), "run", "same"], directory: scratch.path)
        let ours = try Shell.run(
            [Programs.runtime, "--root", scratch.file("dhow"), "run", "same"], directory: scratch.path)
        #expect(ours.status == theirs.status)
        let difference = Set(ours.lines).symmetricDifference(theirs.lines)
        #expect(
            difference.isEmpty,
            "ours: \(Set(ours.lines).subtracting(theirs.lines))\nrunc: \(Set(theirs.lines).subtracting(ours.lines)) \(ours.stderr)"
        )
    }
}
