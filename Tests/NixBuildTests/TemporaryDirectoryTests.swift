import Kernel
import NixLocalStore
import Testing

@testable import NixBuild

@Suite struct TemporaryDirectoryTests {
    private var here: FileDescriptor { .currentDirectory }

    @Test func onlyWhatNobodyUsesIsRemoved() throws {
        let place = try Place()
        let layout = place.store.layout
        let parent = place.root + "/temporary"
        try here.makeDirectories(parent)
        let used = try TemporaryDirectory(in: parent, name: "used-", layout: layout)
        let kept = try TemporaryDirectory(in: parent, name: "kept-", layout: layout)
        kept.keep()
        let removed = try TemporaryDirectory(in: parent, name: "removed-", layout: layout)
        removed.remove()
        #expect(!here.exists(removed.path))
        // Closing the note's file is what a kill does to it.
        var abandoned: TemporaryDirectory? = try TemporaryDirectory(in: parent, name: "abandoned-", layout: layout)
        let path = try #require(abandoned?.path)
        try here.writeFile(path + "/file", "text", creating: true)
        abandoned = nil
        // Somebody else's, in the place of one that is gone.
        var replaced: TemporaryDirectory? = try TemporaryDirectory(in: parent, name: "replaced-", layout: layout)
        let other = try #require(replaced?.path)
        replaced = nil
        try here.rename(other, to: other + "-aside")
        try here.makeDirectory(other)
        try here.writeFile(other + "/file", "text", creating: true)
        // One of Nix's, of which there is no note.
        try here.makeDirectory(parent + "/nix-build-foreign.drv-0")

        TemporaryDirectory.removeAbandoned(in: layout)
        #expect(!here.exists(path))
        for path in [used.path, kept.path, other + "/file", parent + "/nix-build-foreign.drv-0"] {
            #expect(here.exists(path), "\(path)")
        }
        // Of the notes, that of the one in use is left.
        #expect(try here.entries(of: layout.state + "/dhow-builds").count == 1)
        used.remove()
        #expect(try here.entries(of: layout.state + "/dhow-builds").isEmpty)
    }

    @Test func anEmptiedOneCanBeUsed() throws {
        let place = try Place()
        let directory = try TemporaryDirectory(in: place.root, name: "x-", layout: place.store.layout)
        try here.makeDirectories(directory.path + "/a/b")
        try directory.clear()
        #expect(try here.entries(of: directory.path).isEmpty)
        directory.remove()
    }
}
