import Scenarios
import Testing

@Suite("Paths as text")
struct PathTextTests {
  @Test(arguments: [
    ("a/../b", "b"), ("bad/../controlplane.scn", "controlplane.scn"), ("./a//b/", "a/b"),
    ("a/./b/../../c", "c"), ("../a", "../a"), ("../../a/../b", "../../b"), ("a/..", "."),
    (".", "."), ("", ""), ("/a/../b", "/b"), ("/../a", "/a"), ("/", "/"), ("a/.../b", "a/.../b"),
    ("..a/b", "..a/b"),
  ])
  func `that say the same have one spelling`(path: String, normalized: String) {
    #expect(PathText.normalized(path) == normalized)
    #expect(PathText.normalized(normalized) == normalized)
  }

  @Test(arguments: [
    ("fw.nft", "cluster.scn", "fw.nft"), ("fw.nft", "a/cluster.scn", "a/fw.nft"),
    ("../fw.nft", "a/bad/cluster.scn", "a/fw.nft"), ("./fw.nft", "cluster.scn", "fw.nft"),
    ("../fw.nft", "cluster.scn", "../fw.nft"), ("/etc/./fw.nft", "a/cluster.scn", "/etc/fw.nft"),
    ("fw.nft", "/a/../b/cluster.scn", "/b/fw.nft"), ("fw.nft", "/cluster.scn", "/fw.nft"),
  ])
  func `are found from the folder of the file that names them`(
    path: String, file: String, resolved: String
  ) {
    #expect(PathText.resolved(path, from: file) == resolved)
  }
}
