import Addresses
import Documents

extension Host {
  /// The description as ``init(reading:)`` takes it, on one line.
  package var json: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.array("interfaces") { list in
        for interface in interfaces {
          list.object { writer in
            writer.member("name", interface.name.description)
            if let index = interface.index { writer.member("index", Int(index)) }
            if let hardware = interface.hardwareAddress {
              writer.member("mac", hardware.description)
            }
            writer.array("addresses") { addresses in
              for own in interface.addresses { addresses.value("\(own.address)/\(own.length)") }
            }
            if let groups = interface.groups {
              writer.array("groups") { list in
                for group in groups { list.value(group.description) }
              }
            }
          }
        }
      }
      writer.array("routes") { list in
        for route in routes {
          list.object { writer in
            writer.member(
              "to", route.destination.map { "\($0.network)/\($0.length)" } ?? "default")
            writer.member("dev", route.device.description)
            if let gateway = route.gateway { writer.member("via", gateway.description) }
          }
        }
      }
      writer.member("forwarding", isForwarding)
      writer.member("rp_filter", reversePathFilter)
      writer.member("route_localnet", routesLocalnet)
      if let acceptsLocal { writer.member("accept_local", acceptsLocal) }
    }
    return writer.text
  }
}
