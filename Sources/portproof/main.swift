import LinuxKernel
import Netfilter

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == NetfilterChild.argument {
  Machine.exit(NetfilterChild.run(Array(arguments.dropFirst())))
}
