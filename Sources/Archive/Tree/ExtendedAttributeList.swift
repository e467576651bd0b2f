import CKernel
import Glibc
import Kernel

/// All extended attributes of an open file that is not `O_PATH`; none where the file system has none.
func extendedAttributes(of file: FileDescriptor) throws -> [TarEntry.Attribute] {
    try readAttributes(file.description) {
        ck_flistxattr(file.rawValue, $0, $1)
    } value: {
        ck_fgetxattr(file.rawValue, $0, $1, $2)
    }
}

/// All extended attributes of what has this name, links not followed: for what is better not opened.
func extendedAttributes(of name: [UInt8], in directory: FileDescriptor) throws -> [TarEntry.Attribute] {
    // No call takes a directory and a name here, but the descriptor has a path.
    let path = Array("\(directory.procPath)/".utf8) + name
    return try readAttributes(name.displayName) { list, size in
        path.withPath { $0.map { ck_llistxattr($0, list, size) } ?? -Int(EINVAL) }
    } value: { attribute, buffer, size in
        path.withPath { $0.map { ck_lgetxattr($0, attribute, buffer, size) } ?? -Int(EINVAL) }
    }
}

private func readAttributes(
    _ subject: String, list: (UnsafeMutableRawPointer?, Int) -> Int,
    value: (UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int) -> Int
) throws -> [TarEntry.Attribute] {
    // Nearly all files have none, which costs one call and no allocation.
    let size = list(nil, 0)
    if size == 0 || size == -Int(EOPNOTSUPP) || size == -Int(EPERM) { return [] }
    // The list's and a value's limit in the kernel is 64 KiB each.
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = buffer.withUnsafeMutableBytes { list($0.baseAddress, $0.count) }
    if count < 0 { throw ArchiveError("list the extended attributes of", subject, result: count) }
    var attributes: [TarEntry.Attribute] = []
    for name in buffer[..<count].split(separator: 0).map({ Array($0) }) {
        let length = name.withPath { name in
            guard let name else { return -Int(EINVAL) }
            return buffer.withUnsafeMutableBytes { value(name, $0.baseAddress, $0.count) }
        }
        switch length {
        case 0...: attributes.append(.init(name: name, value: Array(buffer[..<length])))
        // It went away, or may not be read.
        case -Int(ENODATA), -Int(EOPNOTSUPP), -Int(EPERM), -Int(EACCES): continue
        default: throw ArchiveError("read the attribute \(name.displayName) of", subject, result: length)
        }
    }
    return attributes
}
