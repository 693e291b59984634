package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	histories = flag.Int("chaos.histories", 50, "how many histories to run")
	firstSeed = flag.Uint64("chaos.seed", 1, "the seed of the first history; the others follow it")
	parallel  = flag.Int("chaos.parallel", 8, "how many histories to run at a time; most of their time is waiting")
)

// kithPath is the command kith, built as it is for users: without the race detector, under which its arithmetic takes ten
// times as long.
var kithPath string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kith-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kithPath = filepath.Join(dir, "kith")
	build := exec.Command("go", "build", "-o", kithPath, "../../cmd/kith")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}
