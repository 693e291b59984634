package rig_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/bench/rig"
)

// mode makes this test's program another one.
const mode = "KITH_RIG_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(mode) {
	case "":
		os.Exit(m.Run())
	case "serve":
		fmt.Printf("serving   http://x\nfolder %s\nkeys\nlater\n", os.Args[1])
		time.Sleep(time.Minute)
	case "fail":
		fmt.Println("serving x")
		fmt.Fprintln(os.Stderr, "first\nno luck")
		os.Exit(1)
	}
}

func self(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestProgram(t *testing.T) {
	p, err := rig.Program(t.Context(), self(t), []string{mode + "=serve"}, "keys", "DIR/x")
	if err != nil {
		t.Fatal(err)
	}
	if p.Said["serving"] != "http://x" || p.Said["folder"] != p.Dir+"/x" || len(p.Said) != 3 {
		t.Errorf("said %v", p.Said)
	}
	p.Stop()
	<-p.Ended()
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there still: %v", err)
	}
}

func TestProgramFails(t *testing.T) {
	_, err := rig.Program(t.Context(), self(t), []string{mode + "=fail"}, "keys")
	if !errors.Is(err, rig.ErrStart) || !strings.Contains(err.Error(), "no luck") || strings.Contains(err.Error(), "first") {
		t.Errorf("got %v, want ErrStart with the last line", err)
	}
	if _, err := rig.Program(t.Context(), self(t)+"-that-is-not-there", nil, "keys"); !errors.Is(err, rig.ErrStart) {
		t.Errorf("got %v, want ErrStart", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rig.Program(ctx, self(t), []string{mode + "=serve"}, "never"); err == nil {
		t.Error("a program was started for nobody")
	}
}

func TestRedis(t *testing.T) {
	r, err := rig.StartRedis(t.Context(), "appendonly yes")
	if err != nil {
		t.Fatal(err)
	}
	options, err := redis.ParseURL(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	config, err := rdb.ConfigGet(t.Context(), "appendonly").Result()
	if err != nil || config["appendonly"] != "yes" {
		t.Errorf("appendonly: %v, %v", config, err)
	}
	if options.Password = ""; redis.NewClient(options).Ping(t.Context()).Err() == nil {
		t.Error("it lets in who has no password")
	}
	r.Stop()
	if _, err := rig.StartRedis(t.Context(), "nonsense"); !errors.Is(err, rig.ErrStart) {
		t.Errorf("a configuration that is wrong: got %v, want ErrStart", err)
	}
	t.Setenv("PATH", "")
	if _, err := rig.StartRedis(t.Context()); !errors.Is(err, rig.ErrNoRedis) {
		t.Errorf("without redis-server: got %v, want ErrNoRedis", err)
	}
}
