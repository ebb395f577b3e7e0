/// A place in the packet's way at which base chains run.
package enum Hook: String, Hashable, Sendable, CaseIterable {
  case ingress
  case prerouting
  case input
  case forward
  case output
  case postrouting
  case egress
}
