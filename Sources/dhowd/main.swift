import DaemonKit

runDaemonProgram(Array(CommandLine.arguments.dropFirst()))
