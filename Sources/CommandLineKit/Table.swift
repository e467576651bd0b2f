/// Text in columns, as Go's `text/tabwriter` lays it out with Docker's settings: columns are at least 10 wide and 3
/// apart, and a column's width is shared by neighbouring lines only.
public struct Table: Sendable {
    public var minimumWidth: Int
    public var padding: Int
    private var lines: [[Substring]] = []

    public init(minimumWidth: Int = 10, padding: Int = 3) {
        self.minimumWidth = minimumWidth
        self.padding = padding
    }

    /// Adds a line of cells.
    public mutating func add(_ cells: [String]) { add(line: cells.joined(separator: "\t")) }

    /// Adds a line, or lines, whose cells are separated by tabs.
    public mutating func add(line: String) {
        for part in line.split(separator: "\n", omittingEmptySubsequences: false) {
            lines.append(part.split(separator: "\t", omittingEmptySubsequences: false))
        }
    }

    /// The laid-out text; every line ends with a line feed.
    public func rendered() -> String {
        var output = ""
        var widths: [Int] = []
        layOut(lines[...], &widths, &output)
        return output
    }

    /// Lays out `block`, whose first `widths.count` columns are settled. A cell belongs to a column only if a tab
    /// ends it, so the last cell of a line never widens a column.
    private func layOut(_ block: ArraySlice<[Substring]>, _ widths: inout [Int], _ output: inout String) {
        let column = widths.count
        var pending = block.startIndex
        var at = block.startIndex
        while at < block.endIndex {
            guard block[at].count > column + 1 else {
                at += 1
                continue
            }
            write(block[pending..<at], widths, &output)
            var end = at
            var width = minimumWidth
            while end < block.endIndex, block[end].count > column + 1 {
                width = max(width, block[end][column].unicodeScalars.count + padding)
                end += 1
            }
            widths.append(width)
            layOut(block[at..<end], &widths, &output)
            widths.removeLast()
            at = end
            pending = end
        }
        write(block[pending...], widths, &output)
    }

    private func write(_ block: ArraySlice<[Substring]>, _ widths: [Int], _ output: inout String) {
        for cells in block {
            for (position, cell) in cells.enumerated() {
                output += cell
                if position < widths.count, position < cells.count - 1 {
                    output += String(repeating: " ", count: max(0, widths[position] - cell.unicodeScalars.count))
                }
            }
            output += "\n"
        }
    }
}
