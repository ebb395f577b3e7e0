import Diagnostics
import Probing
import Testing

@Suite("A file of agents")
struct AgentsFileTests {
  private func read(_ text: String) -> (file: AgentsFile?, rendered: [String]) {
    var sources = SourceMap()
    let number = sources.add(SourceFile(name: "agents.yaml", bytes: Array(text.utf8)))
    var diagnostics: [Diagnostic] = []
    let file = AgentsFile(reading: Array(text.utf8), file: number, diagnostics: &diagnostics)
    let rendered = diagnostics.map { diagnostic in
      let place = diagnostic.primary.map { sources.location(of: $0.span) } ?? "-"
      return "\(place) \(diagnostic.code.rawValue): \(diagnostic.message)"
    }
    return (file, rendered)
  }

  @Test(arguments: [
    "cp1: [ip, netns, exec, cp1, portproof]\ncp2: [ssh, cp2, -p, 22, yes, \"\"]\n",
    #"{"cp1": ["ip", "netns", "exec", "cp1", "portproof"], "cp2": ["ssh", "cp2", "-p", "22", "yes", ""]}"#,
  ])
  func `maps names to words, in YAML and in JSON`(text: String) throws {
    let (file, rendered) = read(text)
    #expect(rendered == [])
    #expect(file?.agents.map(\.name) == ["cp1", "cp2"])
    #expect(file?["cp1"] == ["ip", "netns", "exec", "cp1", "portproof"])
    #expect(file?["cp2"] == ["ssh", "cp2", "-p", "22", "yes", ""])
    #expect(file?["cp3"] == nil)
  }

  @Test func `may name nobody`() {
    #expect(read("").file?.agents == [])
    #expect(read("# none yet\n").file?.agents == [])
  }

  static let wrong: [(text: String, complaints: [String])] = [
    (
      "cp1: ip netns exec cp1 portproof\n",
      ["agents.yaml:1:6 agents.not-a-list: the words of 'cp1' are not a list"]
    ),
    (
      "- cp1\n",
      ["agents.yaml:1:1 agents.not-a-mapping: a file of agents maps names to lists of words"]
    ),
    ("cp1: []\ncp2: [ssh]\n", ["agents.yaml:1:6 agents.no-words: 'cp1' starts no program"]),
    (
      "cp1: [\"\", a]\n",
      ["agents.yaml:1:7 agents.not-a-word: this is not a word that a program is given"]
    ),
    (
      "cp1: [ssh, [a]]\ncp2: [ssh, ~]\n",
      [
        "agents.yaml:1:12 agents.not-a-word: this is not a word that a program is given",
        "agents.yaml:2:12 agents.not-a-word: this is not a word that a program is given",
      ]
    ),
    (
      "cp1: [\"a\\0b\"]\n",
      ["agents.yaml:1:7 agents.not-a-word: this is not a word that a program is given"]
    ),
    ("\"\": [ssh]\n", ["agents.yaml:1:1 agents.no-name: an agent needs a name"]),
    (
      "cp1: [ssh]\n---\ncp2: [ssh]\n",
      ["agents.yaml:3:1 agents.several-documents: a file of agents is one document"]
    ),
  ]

  @Test(arguments: wrong.indices) func `what is wrong is said, with its place`(index: Int) {
    let (text, complaints) = Self.wrong[index]
    let (file, rendered) = read(text)
    #expect(file == nil)
    #expect(rendered == complaints)
  }

  @Test(arguments: ["cp1: [ssh", "cp1: [ssh]\ncp1: [ssh]\n", "\u{0}"])
  func `what is no YAML is said, with its place`(text: String) {
    let (file, rendered) = read(text)
    #expect(file == nil)
    #expect(rendered.count == 1 && rendered[0].contains("agents.syntax"), "\(rendered)")
  }
}
