package main

import (
	"bufio"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kith-project/kith/server/redistest"
)

// TestScripts runs the commands as a shell would, by the scripts in testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TMPDIR", filepath.Join(env.WorkDir, "tmp"))
			env.Setenv("PATH", filepath.Dir(kithPath)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return os.Mkdir(filepath.Join(env.WorkDir, "tmp"), 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"server":     startServer,
			"redis":      func(ts *testscript.TestScript, _ bool, _ []string) { ts.Setenv("REDIS", redistest.Start(t).URL()) },
			"mode":       checkMode,
			"snapshot":   waitForSnapshot,
			"redirector": startRedirector,
		},
	})
}

// startServer is the script command "server ARG...": it starts kith serve in the background and sets SERVER and ADMIN to where it
// answers, and VKEY to the key of its log. What it answers is held to the API document. The server ends with the script.
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(kithPath, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "TMPDIR="+ts.Getenv("TMPDIR"))
	log := new(lockedBuffer)
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if found := numberLike.FindString(log.String()); found != "" {
			ts.Fatalf("the log of a server has %q:\n%s", found, log)
		}
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "serving":
			ts.Setenv("SERVER", documentedIn(ts, strings.TrimSpace(value)))
		case "admin":
			ts.Setenv("ADMIN", documentedIn(ts, strings.TrimSpace(value)))
		case "keylog":
			ts.Setenv("VKEY", strings.TrimSpace(value))
		case "keys":
			ts.Setenv("KEYS", strings.TrimSpace(value))
			return
		}
	}
	ts.Fatalf("kith serve %v did not start", args)
}

// documentedIn returns the URL of a proxy before a server. The script fails if something was not as documented.
func documentedIn(ts *testscript.TestScript, server string) string {
	var mu sync.Mutex
	var errs []error
	address, end, err := documented(server, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	})
	ts.Check(err)
	ts.Defer(func() {
		end()
		ts.Check(errors.Join(errs...))
	})
	return address
}

// checkMode is the script command "mode 600 FILE...": the files have these permissions.
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := strings.TrimLeft(strings.ReplaceAll(info.Mode().Perm().String(), "-", ""), "d"); got != map[string]string{"600": "rw", "700": "rwx"}[args[0]] {
			ts.Fatalf("%s has mode %s, want %s", file, info.Mode().Perm(), args[0])
		}
	}
}

// waitForSnapshot is the script command "snapshot": it waits until the server offers one.
func waitForSnapshot(ts *testscript.TestScript, _ bool, _ []string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(ts.Getenv("SERVER") + "/v1/epochs/1/snapshot")
		ts.Check(err)
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("no snapshot after a minute")
}

// startRedirector is the script command "redirector": it starts a server that sends everybody elsewhere, where nothing may
// arrive, and sets REDIRECTOR to its address.
func startRedirector(ts *testscript.TestScript, _ bool, _ []string) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("a redirect was followed, with whatever was sent")
	}))
	redirector := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	ts.Defer(func() { redirector.Close(); elsewhere.Close() })
	ts.Setenv("REDIRECTOR", redirector.URL)
}
