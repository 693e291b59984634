package main

// benchCommand is kith bench.
type benchCommand struct {
	Engine   benchEngineCommand   `cmd:"" help:"Compare the arithmetic of this machine with circl's, on one core."`
	Compare  benchCompareCommand  `cmd:"" help:"Compare Kith over HTTP with servers made of what could be picked instead, and with a lookup of hashed numbers."`
	Load     benchLoadCommand     `cmd:"" help:"Load a server with devices that sync as real ones do, and say how it did."`
	Check    benchCheckCommand    `cmd:"" help:"Compare ratios of the other commands with figures that are kept, and fail where Kith has become slower."`
	Size     benchSizeCommand     `cmd:"" help:"Count what a deployment needs for so many users: cores, memory, bandwidth, money."`
	Report   benchReportCommand   `cmd:"" help:"Measure by the other commands, and write what docs/performance.md begins with."`
	Opponent benchOpponentCommand `cmd:"" hidden:""`
}
