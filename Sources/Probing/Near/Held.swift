/// A value that is not copied, where several refer to it.
final class Held<Value: ~Copyable> {
  var value: Value

  init(_ value: consuming Value) { self.value = value }
}
