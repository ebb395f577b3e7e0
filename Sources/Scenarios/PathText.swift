/// Paths as text: what can be said of them without asking the file system.
package enum PathText {
  /// One spelling for all paths that say the same: `bad/../cluster.scn` is `cluster.scn`.
  ///
  /// A folder before `..` counts as a folder even where it is a symbolic link to another.
  package static func normalized(_ path: String) -> String {
    let isAbsolute = path.hasPrefix("/")
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == "..", let last = parts.last, last != ".." {
        parts.removeLast()
      } else if part != ".." || !isAbsolute {
        parts.append(part)
      }
    }
    let text = (isAbsolute ? "/" : "") + parts.joined(separator: "/")
    return text.isEmpty && !path.isEmpty ? "." : text
  }

  /// A path that a file names: relative ones begin at the folder of that file.
  ///
  /// - Parameters:
  ///   - path: The path as the file has it.
  ///   - file: The path of the file.
  /// - Returns: The path in one spelling.
  package static func resolved(_ path: String, from file: String) -> String {
    guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else {
      return normalized(path)
    }
    return normalized(String(file[...slash]) + path)
  }
}
