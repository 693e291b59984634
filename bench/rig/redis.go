package rig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ErrNoRedis means that there is no redis-server on PATH.
var ErrNoRedis = errors.New("rig: no redis-server")

// portAttempts bounds how often another port is tried when somebody took the free one first.
const portAttempts = 5

// Redis is a redis-server.
type Redis struct {
	*Process
	// URL is for redis.ParseURL, with a password that nobody else has.
	URL string
}

// StartRedis starts a redis-server on a free loopback port, with lines of configuration besides its own, such as "appendonly
// yes". It returns ErrNoRedis, ErrStart, or the error of ctx, whose end ends the process as well.
func StartRedis(ctx context.Context, config ...string) (*Redis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNoRedis
	}
	for attempt := 1; ; attempt++ {
		r, err := startRedis(ctx, program, config)
		if err == nil || attempt == portAttempts || !strings.Contains(err.Error(), "in use") {
			return r, err
		}
	}
}

func startRedis(ctx context.Context, program string, config []string) (*Redis, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := newProcess(ctx, program, nil, []string{"-"})
	if err != nil {
		return nil, err
	}
	// The configuration goes by standard input: arguments are seen by everybody on the machine, and this has a password.
	password := rand.Text()
	lines := append([]string{"bind 127.0.0.1", "port " + strconv.Itoa(port), "dir " + p.Dir, "requirepass " + password, `save ""`}, config...)
	p.cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	p.cmd.Stdout = p.stderr
	if err := p.start(); err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	u := url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: address, Path: "/0"}
	r := &Redis{Process: p, URL: u.String()}
	if err := r.wait(ctx, address, password); err != nil {
		return nil, err
	}
	return r, nil
}

// wait returns when the server answers.
func (r *Redis) wait(ctx context.Context, address, password string) error {
	rdb := redis.NewClient(&redis.Options{
		Addr: address, Password: password, MaxRetries: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer func() { _ = rdb.Close() }()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		if rdb.Ping(ctx).Err() == nil {
			return nil
		}
		select {
		case <-r.Ended():
			return r.failed(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return r.failed(ctx)
}

// freePort returns a loopback port that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("rig: no free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
