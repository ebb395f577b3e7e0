/// One packet, as reports show it.
///
/// The fields are the ones of `simulate`'s packets (`cli.md`), so that a counterexample can be
/// given back to the tool. A field that does not matter for the answer is nil.
package struct PacketDescription: Hashable, Sendable {
  /// `ip` or `ip6`.
  package var family: String
  package var sourceAddress: String
  package var destinationAddress: String
  /// The protocol's name, or its number.
  package var transportProtocol: String
  package var sourcePort: UInt16?
  package var destinationPort: UInt16?
  package var icmpType: UInt8?
  package var icmpCode: UInt8?
  /// TCP flags, lower case: `syn`.
  package var flags: [String]?
  /// What the connection table says: `new`, `established`, ….
  package var state: String?
  package var inputInterface: String?
  package var outputInterface: String?
  /// Further fields that the answer rests on, with nft's names: `ip ttl` = `1`.
  package var further: [Field]

  package struct Field: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  package init(
    family: String, sourceAddress: String, destinationAddress: String, transportProtocol: String,
    sourcePort: UInt16? = nil, destinationPort: UInt16? = nil, icmpType: UInt8? = nil,
    icmpCode: UInt8? = nil, flags: [String]? = nil, state: String? = nil,
    inputInterface: String? = nil, outputInterface: String? = nil, further: [Field] = []
  ) {
    self.family = family
    self.sourceAddress = sourceAddress
    self.destinationAddress = destinationAddress
    self.transportProtocol = transportProtocol
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
    self.icmpType = icmpType
    self.icmpCode = icmpCode
    self.flags = flags
    self.state = state
    self.inputInterface = inputInterface
    self.outputInterface = outputInterface
    self.further = further
  }
}
