package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/kith-project/kith/server/redistest"
)

// kithPath is the command kith, built as it is for users: without the race detector, under which its arithmetic takes ten
// times as long. (The tests of the packages themselves run under it.)
var kithPath string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kith-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kithPath = filepath.Join(dir, "kith")
	build := exec.Command("go", "build", "-o", kithPath, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// kith returns the command kith with arguments, in a process that ends with the test.
func kith(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, kithPath, args...)
}

// output runs kith and returns its standard output. It fails the test if the exit status is not 0.
func output(t testing.TB, args ...string) string {
	t.Helper()
	cmd := kith(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kith %s: %v\n%s", args[0], err, stderr.String())
	}
	return string(out)
}

// serving is a kith serve process.
type serving struct {
	url, dir string
	accounts string // where registrations are; url without --register-listen
	admin    string // "" without --admin
	vkey     string // of the key log
	cmd      *exec.Cmd
	log      *lockedBuffer // standard error

	dead chan struct{} // closed when the process has ended
}

// serve starts kith serve and waits until it has said where it answers.
func serve(t testing.TB, dir string, args ...string) *serving {
	t.Helper()
	cmd := kith(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--dir", dir}, args...)...)
	s := &serving{dir: dir, cmd: cmd, log: new(lockedBuffer), dead: make(chan struct{})}
	cmd.Stderr = s.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for started := false; !started && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch value = strings.TrimSpace(value); name {
		case "serving":
			s.url, s.accounts = value, value
		case "register":
			s.accounts = value
		case "admin":
			s.admin = value
		case "keylog":
			s.vkey = value
		case "keys":
			started = true
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
		close(s.dead)
	}()
	if s.url == "" {
		<-s.dead
		t.Fatalf("kith serve did not start:\n%s", s.log)
	}
	t.Cleanup(func() {
		s.kill()
		scrub(t, s.log.String())
	})
	return s
}

// numberLike matches what could be a phone number, an address or a name of these tests.
var numberLike = regexp.MustCompile(`\d{9,}|\d{3}[-. )]+\d{3}[-. ]\d{4}|\b\d+\.\d+\.\d+\.\d+\b|Nameson|Bearer|trial-`)

// drawn matches the ids of requests, which are random letters and digits: once in some 100,000 of them nine digits follow
// each other.
var drawn = regexp.MustCompile(`\bid=[A-Z2-7]{26}\b`)

// scrub fails the test if the log of a server has anything in it that could be a number, an address, a name, an account or
// a token. It is called for every server of every test.
func scrub(t testing.TB, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if found := numberLike.FindString(drawn.ReplaceAllString(line, "")); found != "" {
			t.Errorf("the log of a server has %q: %s", found, line)
		}
	}
}

// kill ends the process as kill -9 does, and waits for its end.
func (s *serving) kill() {
	_ = s.cmd.Process.Kill()
	<-s.dead
}

// token returns the path of one of the server's trial tokens.
func (s *serving) token(name string) string { return filepath.Join(s.dir, name+".token") }

// put registers a number over HTTP.
func (s *serving) put(t testing.TB, number, label string) {
	t.Helper()
	s.register(t, http.MethodPut, map[string]any{"number": number, "label": label})
}

// register sends a registration or a deletion and wants it applied.
func (s *serving) register(t testing.TB, method string, body map[string]any) {
	t.Helper()
	answer := s.tryRegister(t, method, body)
	if answer.StatusCode != http.StatusNoContent || answer.Header.Get("Kith-Applied") != "true" {
		t.Fatalf("%s answered %s, Kith-Applied %q", method, answer.Status, answer.Header.Get("Kith-Applied"))
	}
}

// tryRegister sends a registration or a deletion and returns the answer, its body closed.
func (s *serving) tryRegister(t testing.TB, method string, body map[string]any) *http.Response {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	token, err := readToken(s.token("register"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(method, s.url+"/v1/registrations", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer
}

// putMany registers numbers with labels made by label, several at a time.
func (s *serving) putMany(t testing.TB, numbers []string, label func(number string) string) {
	t.Helper()
	var wg sync.WaitGroup
	const workers = 8
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(numbers); i += workers {
				s.put(t, numbers[i], label(numbers[i]))
			}
		})
	}
	wg.Wait()
}

// metrics returns what the admin address shows at /metrics.
func (s *serving) metrics(t testing.TB) string {
	t.Helper()
	answer, err := http.Get(s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// onRedis starts a Redis of its own and kith serve on it.
func onRedis(t testing.TB) (*serving, *redistest.Server) {
	t.Helper()
	store := redistest.Start(t)
	return serve(t, t.TempDir(), "--redis", store.URL()), store
}

// decodeResult reads what --json prints.
func decodeResult(t testing.TB, text string) resultJSON {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var r resultJSON
	if err := d.Decode(&r); err != nil {
		t.Fatalf("not one JSON object: %v\n%s", err, text)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("something follows the JSON object:\n%s", text)
	}
	return r
}

// fictional returns n different numbers kept for fiction, from the i-th on.
func fictional(i, n int) []string {
	numbers := make([]string, n)
	for j := range numbers {
		numbers[j] = sampleUser(i + j)
	}
	return numbers
}

// writeCSV writes an address book of numbers, each with a name of its own, and returns its path.
func writeCSV(t testing.TB, numbers []string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("Name,Phone 1 - Value\n")
	for i, number := range numbers {
		fmt.Fprintf(&b, "%s,%s\n", contactName(i), number)
	}
	path := filepath.Join(t.TempDir(), "contacts.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func contactName(i int) string { return fmt.Sprintf("Contact Nameson %d", i) }

// lockedBuffer is a buffer that a process writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
