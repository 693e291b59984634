package main

// benchCommand is kith bench.
type benchCommand struct {
	Engine benchEngineCommand `cmd:"" help:"Compare the arithmetic of this machine with circl's, on one core."`
}
