package import Addresses
package import Diagnostics

/// A word of the file as its author wrote it, and where.
package struct Word: Hashable, Sendable {
  package var text: String
  package var span: SourceSpan

  /// How names are compared: `CP` is `cp`.
  var key: String { text.lowercased() }
}

/// One file as a tree; every node keeps its place, and through it its words.
package struct FileSyntax: Sendable {
  package var statements: [StatementSyntax]
  /// The comments, from `#` to the end of their line.
  package var comments: [SourceSpan]
  /// Names whose declarations could not be read, lower case.
  var broken: Set<String>
}

package struct StatementSyntax: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case include(path: Word)
    case host(HostSyntax)
    case group(name: Word, set: SetSyntax)
    case service(name: Word, services: [ServiceSyntax])
    case firewall(FirewallSyntax)
    case defaults([ClauseSyntax])
    case suite(SuiteSyntax)
    case line(LineSyntax)
  }

  package var kind: Kind
  package var span: SourceSpan
}

package struct HostSyntax: Hashable, Sendable {
  package var name: Word
  package var addresses: [Located<IPAddress>]
  package var interface: Word?
  package var agent: Word?
}

/// A value and its place.
package struct Located<Value: Hashable & Sendable>: Hashable, Sendable {
  package var value: Value
  package var span: SourceSpan
}

package struct FirewallSyntax: Hashable, Sendable {
  package enum Placement: Hashable, Sendable {
    case on(SetSyntax)
    case between(SetSyntax, SetSyntax)
  }

  package var name: Word
  package var kind: Word
  package var path: Word?
  package var placement: Placement
  package var options: [OptionSyntax]
}

package struct OptionSyntax: Hashable, Sendable {
  package enum Value: Hashable, Sendable {
    case text(Word)
    case number(Located<Int>)
    /// A set, or a bare word where the option takes one.
    case set(SetSyntax)
    case named(Word, SetSyntax)
  }

  package var name: Word
  package var value: Value
  package var span: SourceSpan
}

package struct SuiteSyntax: Hashable, Sendable {
  package var name: Word
  package var clauses: [ClauseSyntax]
  package var statements: [StatementSyntax]
}

/// A scenario, or an `only` line.
package struct LineSyntax: Hashable, Sendable {
  package enum Claim: Hashable, Sendable {
    case expect(Located<Flow.Expectation>)
    /// The place is that of the word `only`.
    case only(SourceSpan)
  }

  package var sources: SetSyntax
  package var destinations: SetSyntax
  package var services: [ServiceSyntax]
  package var claim: Claim
  package var clauses: [ClauseSyntax]
}

/// `atom, atom except atom`: the exception is taken from all that stands before it.
package struct SetSyntax: Hashable, Sendable {
  package var atoms: [AtomSyntax]
  /// What `except` takes away; a list in braces is one atom.
  package var exception: AtomSyntax?
  package var span: SourceSpan

  /// Whether `self` is among the atoms, at any depth.
  var holdsThis: Bool {
    atoms.contains { atom in
      switch atom.kind {
      case .this: true
      case .braces(let set): set.holdsThis
      case .name, .address, .prefix, .range, .any, .invalid: false
      }
    }
  }
}

package struct AtomSyntax: Hashable, Sendable {
  package indirect enum Kind: Hashable, Sendable {
    case name(String)
    case address(IPAddress)
    case prefix(IPPrefix)
    case range(IPAddress, IPAddress)
    case any
    case this
    case braces(SetSyntax)
    /// Something that the parser has complained about.
    case invalid
  }

  package var kind: Kind
  package var span: SourceSpan
}

package struct ServiceSyntax: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// `80, 443 tcp`, or `tcp/80`.
    case ports([Located<Interval>], TransportProtocol)
    case transport(TransportProtocol)
    case name(String)
    case icmp(IPFamily, type: UInt8?, code: UInt8?)
    case any
    /// Something that the parser has complained about.
    case invalid
  }

  package var kind: Kind
  /// The place of what `kind` says, without `one-way`.
  package var kindSpan: SourceSpan
  /// The place of the word for the protocol.
  package var protocolSpan: SourceSpan?
  /// The place of the word `one-way`, where it stands.
  package var oneWay: SourceSpan?
  package var span: SourceSpan
}

package struct ClauseSyntax: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case interface(Word)
    case sourcePorts([Located<Interval>])
    case family(IPFamily)
    case state(Word)
    case severity(Word)
    case tags([Word])
    case because(Word)
    case id(Word)
    case skip(Word)
    case expectedFailure(Word)
    case timeout(seconds: Double)
    case retries(Int)
    case `static`
    case live
    /// Something that the parser has complained about.
    case invalid
  }

  package var kind: Kind
  /// The word that the clause begins with.
  package var keyword: Keyword
  package var keywordSpan: SourceSpan
  package var span: SourceSpan
}
