package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one kith serve process, from its start to its end.
type process struct {
	url, admin string
	cmd        *exec.Cmd
	log        *lockedBuffer // standard error
	dead       chan struct{} // closed when it has ended

	mu     sync.Mutex
	killed time.Duration // when it was found to be gone, on the journal's clock; never while it is not
}

var errNotStarted = errors.New("kith serve did not start")

// startProcess starts kith serve and returns once it has said where it answers, or errNotStarted if it ended before.
func startProcess(environment []string, args ...string) (*process, error) {
	cmd := exec.Command(kithPath, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	cmd.Env = environment
	cmd.SysProcAttr = endWithParent()
	p := &process{cmd: cmd, log: new(lockedBuffer), dead: make(chan struct{}), killed: never}
	cmd.Stderr = p.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	for p.admin == "" && lines.Scan() {
		name, address, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "serving":
			p.url = strings.TrimSpace(address)
		case "admin":
			p.admin = strings.TrimSpace(address)
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait() // a killed process is no error here
		close(p.dead)
	}()
	if p.admin == "" {
		<-p.dead
		return nil, fmt.Errorf("%w:\n%s", errNotStarted, p.log)
	}
	return p, nil
}

// signal sends a signal. An error means that the process has ended, which others see as well.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// end waits for the end of the process, and notes when it was over by a clock.
func (p *process) end(clock func() time.Duration) {
	<-p.dead
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = min(p.killed, clock())
}

// endedAt returns the time that end has noted, or never.
func (p *process) endedAt() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

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

// warnings returns the last lines of the log that say more than what was asked.
func (p *process) warnings() string {
	const most = 20
	var lines []string
	for line := range strings.Lines(p.log.String()) {
		if !strings.Contains(line, "level=INFO") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "")
}
