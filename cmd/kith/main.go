// Command kith is private contact discovery: the server, the tools of its operator, and a client for the shell.
//
//	kith demo          private discovery from end to end, with nothing to install
//	kith serve         the server, on Redis or on an embedded store
//	kith register      register a number; kith unregister removes it
//	kith import        register the lines of a file
//	kith discover      find which contacts of an address book are registered
//	kith epoch         rotate the key, and see how far that is
//	kith keylog        check the log of public keys, or be its witness
//	kith quota         what an account can have evaluated, and its limits
//	kith keyring       back up, restore, and seal the keys anew
//	kith token         keys and tokens for trying things out
//	kith attack-cost   what it takes to find all users by trying all numbers
//	kith bench         how fast it is here
//
// Results go to standard output. Messages go to standard error, each line beginning with "kith: ", in lower case and
// without a period; an expected mistake is followed by a line that begins with "hint: ". The exit status is 0, 1 for a
// failure, and 2 for a command line that can not be understood.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands are the subcommands; kong fills in their flags.
type commands struct {
	Demo       demoCommand       `cmd:"" help:"Show private discovery end to end, with nothing to install."`
	Serve      serveCommand      `cmd:"" help:"Run the server."`
	Register   registerCommand   `cmd:"" help:"Register a phone number, or hide it."`
	Unregister unregisterCommand `cmd:"" help:"Remove a phone number."`
	Import     importCommand     `cmd:"" help:"Register the lines of a file: all users of a messenger, for one."`
	Discover   discoverCommand   `cmd:"" help:"Find which contacts of an address book are registered."`
	Epoch      epochCommand      `cmd:"" help:"Rotate the key, and see how far that is."`
	Keylog     keylogCommand     `cmd:"" help:"Check the log of public keys, or be its witness."`
	Quota      quotaCommand      `cmd:"" help:"See and change what accounts can have evaluated."`
	Keyring    keyringCommand    `cmd:"" help:"Back up, restore, and seal the keys anew."`
	Token      tokenCommand      `cmd:"" help:"Make keys and tokens for trying things out."`
	AttackCost attackCostCommand `cmd:"" help:"Count what it takes to find all users by trying all numbers."`
	Bench      benchCommand      `cmd:"" help:"Measure how fast it is here."`
}

const description = `Private contact discovery: find which of your contacts use an app, without giving it your address book.

Try it:

    kith demo`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its surroundings as arguments. It returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	quietLibraries()

	var exited *int
	parser := kong.Must(&commands{},
		kong.Name("kith"), kong.Description(description), kong.UsageOnError(), kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = &code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited != nil {
		return *exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "kith: %s\nhint: %s\n", err, helpHint(args))
		return 2
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&terminal{stdin: stdin, stdout: stdout, stderr: stderr}); err != nil {
		report(stderr, err)
		return 1
	}
	return 0
}

// helpHint names the help that fits a command line that was not understood.
func helpHint(args []string) string {
	for _, name := range []string{"demo", "serve", "register", "unregister", "import", "discover", "epoch", "keylog", "quota", "keyring", "token", "attack-cost", "bench"} {
		if len(args) > 0 && args[0] == name {
			return "kith " + name + " --help"
		}
	}
	return "kith --help"
}
