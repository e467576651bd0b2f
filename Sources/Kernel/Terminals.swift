import CKernel
import Glibc

/// A terminal's size in characters.
public struct TerminalSize: Hashable, Sendable {
    public var rows: UInt16
    public var columns: UInt16

    public init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }
}

/// A pseudo-terminal.
public struct PseudoTerminal: Sendable {
    /// The side of whoever plays the keyboard and screen.
    public let master: FileDescriptor
    /// Its number in `/dev/pts`.
    public let number: Int

    /// Makes one in the devpts file system whose `ptmx` is at `path`, relative to `directory`.
    public init(multiplexer path: String = "/dev/ptmx", in directory: FileDescriptor = .currentDirectory)
        throws(KernelError)
    {
        let master = try directory.open(path, [.readWrite, .noControllingTerminal])
        self.master = master
        // TIOCSPTLCK
        var unlocked: Int32 = 0
        try call("unlock terminal", path) { ck_ioctl_pointer(master.rawValue, 0x4004_5431, &unlocked) }
        // TIOCGPTN
        var number: UInt32 = 0
        try call("find the number of terminal", path) { ck_ioctl_pointer(master.rawValue, 0x8004_5430, &number) }
        self.number = Int(number)
    }

    /// Opens the side of the programs (`TIOCGPTPEER`), which needs no path and so cannot be misled by one.
    public func openPeer() throws(KernelError) -> FileDescriptor {
        FileDescriptor(
            owning: Int32(
                try call("open the peer of terminal", "\(number)") {
                    ck_ioctl(master.rawValue, 0x5441, UInt(O_RDWR | O_NOCTTY | O_CLOEXEC))
                }))
    }
}

extension FileDescriptor {
    public var isTerminal: Bool {
        var settings = termios()
        return ck_ioctl_pointer(rawValue, UInt(TCGETS), &settings) == 0
    }

    public func terminalSize() throws(KernelError) -> TerminalSize {
        var size = winsize()
        try call("read the terminal size of", description) { ck_ioctl_pointer(rawValue, UInt(TIOCGWINSZ), &size) }
        return TerminalSize(rows: size.ws_row, columns: size.ws_col)
    }

    public func setTerminalSize(_ size: TerminalSize) throws(KernelError) {
        var size = winsize(ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0)
        try call("set the terminal size of", description) { ck_ioctl_pointer(rawValue, UInt(TIOCSWINSZ), &size) }
    }

    /// Makes this the controlling terminal of the caller, a session leader without one.
    public func becomeControllingTerminal() throws(KernelError) {
        try call("make the controlling terminal", description) { ck_ioctl(rawValue, UInt(TIOCSCTTY), 0) }
    }

    public func terminalSettings() throws(KernelError) -> termios {
        var settings = termios()
        if tcgetattr(rawValue, &settings) != 0 {
            throw KernelError(ErrorNumber(rawValue: errno), "read the terminal settings of", description)
        }
        return settings
    }

    public func setTerminalSettings(_ settings: termios) throws(KernelError) {
        var settings = settings
        if tcsetattr(rawValue, TCSADRAIN, &settings) != 0 {
            throw KernelError(ErrorNumber(rawValue: errno), "set the terminal settings of", description)
        }
    }

    /// Passes every byte through at once (`cfmakeraw`); returns the old settings, to be restored.
    public func makeTerminalRaw() throws(KernelError) -> termios {
        let old = try terminalSettings()
        var raw = old
        cfmakeraw(&raw)
        try setTerminalSettings(raw)
        return old
    }
}
