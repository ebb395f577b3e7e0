import Diagnostics
import Foundation
import FoundationXML
import Outcomes
import Testing

@testable import Reports

@Suite("JUnit report")
struct JUnitReportTests {
  private let run = ExampleRun()

  private func render(_ profile: JUnitReport.Profile) -> String {
    JUnitReport(profile: profile, sources: run.sources).render(run.outcome)
  }

  private func root(_ profile: JUnitReport.Profile) throws -> XMLElement {
    try #require(XMLDocument(xmlString: render(profile), options: []).rootElement())
  }

  private func names(_ element: XMLElement) -> Set<String> {
    Set((element.attributes ?? []).compactMap(\.name))
  }

  private func children(_ element: XMLElement) -> [XMLElement] {
    (element.children ?? []).compactMap { $0 as? XMLElement }
  }

  @Test(arguments: JUnitReport.Profile.allCases)
  func `looks as it should`(profile: JUnitReport.Profile) throws {
    try expectGolden("junit-\(profile.rawValue).xml", render(profile))
  }

  @Test(arguments: JUnitReport.Profile.allCases)
  func `counts are those of the cases, and names are unique`(
    profile: JUnitReport.Profile
  ) throws {
    for suite in children(try root(profile)) {
      let cases = suite.elements(forName: "testcase")
      func count(_ name: String) -> String {
        String(cases.count { !$0.elements(forName: name).isEmpty })
      }
      #expect(suite.attribute(forName: "tests")?.stringValue == String(cases.count))
      #expect(suite.attribute(forName: "failures")?.stringValue == count("failure"))
      #expect(suite.attribute(forName: "errors")?.stringValue == count("error"))
      let identities = cases.map { $0.attribute(forName: "name")?.stringValue ?? "" }
      #expect(Set(identities).count == identities.count)
      #expect(!identities.contains(""))
    }
  }

  /// What both schemas demand: the Ant schema's order and required attributes, nothing that either
  /// does not know.
  @Test func `the strict profile stays inside both schemas`() throws {
    let root = try root(.strict)
    #expect(names(root) == [])
    let suites = children(root)
    #expect(suites.map(\.name) == ["testsuite", "testsuite"])
    for (number, suite) in suites.enumerated() {
      #expect(
        names(suite) == [
          "name", "package", "id", "hostname", "tests", "failures", "errors", "time", "timestamp",
        ])
      #expect(suite.attribute(forName: "id")?.stringValue == String(number))
      let timestamp = try #require(suite.attribute(forName: "timestamp")?.stringValue)
      #expect(
        timestamp.wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}/) != nil)
      let parts = children(suite).map { $0.name ?? "" }
      #expect(parts.first == "properties")
      #expect(parts.suffix(2) == ["system-out", "system-err"])
      #expect(parts.dropFirst().dropLast(2).allSatisfy { $0 == "testcase" })
      for property in children(children(suite)[0]) {
        #expect(names(property) == ["name", "value"])
        #expect(property.attribute(forName: "name")?.stringValue?.isEmpty == false)
      }
      for each in suite.elements(forName: "testcase") {
        #expect(names(each) == ["name", "classname", "time"])
        let time = try #require(each.attribute(forName: "time")?.stringValue)
        #expect(time.wholeMatch(of: /[0-9]+\.[0-9]{3}/) != nil)
        #expect(children(each).count <= 1)
        for answer in children(each) {
          switch answer.name {
          case "failure", "error": #expect(names(answer) == ["type", "message"])
          case "skipped": #expect(names(answer) == ["message"])
          default: Issue.record("neither schema knows \(answer.name ?? "")")
          }
        }
      }
    }
  }

  @Test func `characters that XML does not have are left out, others survive`() {
    var xml = XMLText()
    xml.element(
      "a", [("b", "x\u{0}\u{1B}\u{FFFE}\t\"<&>\u{1F600}")], text: "]]>\u{B}\r\u{FFFF}é")
    #expect(
      xml.document
        == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        + "<a b=\"x&#9;&quot;&lt;&amp;&gt;\u{1F600}\">]]&gt;&#13;é</a>\n")
  }

  @Test func `a name of nothing but white space is replaced`() {
    #expect(XMLText.token(" \u{1} \n", orElse: "x") == "x")
    #expect(XMLText.token(" a\n  b ", orElse: "x") == "a b")
  }
}
