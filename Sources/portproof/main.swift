import CommandLineTool
import LinuxKernel

Machine.exit(Tool.run(Array(CommandLine.arguments.dropFirst())))
