import Cgroups
import Kernel
import Testing

/// What is known of kills by a cgroup that is gone, on files that stand for the kernel's.
@Suite struct OutOfMemoryWatchTests {
    private let above = "/tmp/dhow-cgroup-\(UInt32.random(in: 0 ... .max))"
    private var own: String { above + "/container.scope" }
    private let root = FileDescriptor.currentDirectory

    private func write(_ directory: String, limitHits: Int = 0, kills: Int) throws {
        try root.makeDirectories(directory)
        let text = "low 0\nhigh 0\nmax \(limitHits)\noom \(kills)\noom_kill \(kills)\n"
        try root.writeFile("\(directory)/memory.events", text, creating: true)
    }

    private func withWatch(_ body: (OutOfMemoryWatch) throws -> Void) throws {
        defer { try? root.removeTree(above) }
        try write(above, kills: 3)
        try write(own, kills: 0)
        let reference = CgroupReference(version: .v2, paths: ["": own])
        try body(CgroupHost.cgroup(reference).watchOutOfMemory())
    }

    @Test func theCgroupAboveTellsOfAKillWhenTheOwnIsGone() throws {
        try withWatch { watch in
            #expect(watch.readKillCount() == 0)
            try root.removeTree(own)
            #expect(watch.readKillCount() == nil)
            #expect(!watch.mayHaveKilled)
            try write(above, kills: 4)
            #expect(watch.mayHaveKilled)
        }
    }

    @Test func aCgroupThatWasAtItsLimitMayHaveKilled() throws {
        try withWatch { watch in
            try write(own, limitHits: 2, kills: 0)
            #expect(watch.readKillCount() == 0)
            try root.removeTree(own)
            #expect(watch.readKillCount() == nil)
            #expect(watch.mayHaveKilled)
        }
    }

    @Test func itsOwnCountIsTakenWhileItIsThere() throws {
        try withWatch { watch in
            try write(own, limitHits: 2, kills: 1)
            #expect(watch.takeEvent())
            #expect(watch.killCount == 1)
        }
    }
}
