package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/bench/compare"
)

// benchOpponentCommand is kith bench opponent, which kith bench compare starts.
type benchOpponentCommand struct {
	Name string `arg:"" help:"Which opponent."`
}

// Run serves on a free loopback port until it is interrupted, and says where. Its Redis is in KITH_BENCH_REDIS, and not
// among the arguments, for it has a password.
func (cmd *benchOpponentCommand) Run(ctx context.Context, t *terminal) error {
	var rdb redis.UniversalClient
	if url := os.Getenv("KITH_BENCH_REDIS"); url != "" {
		options, err := redis.ParseURL(url)
		if err != nil {
			return errors.New("KITH_BENCH_REDIS: no URL of a Redis")
		}
		client := redis.NewClient(options)
		defer func() { _ = client.Close() }()
		rdb = client
	}
	handler, err := compare.Opponent(cmd.Name, rdb)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	fmt.Fprintf(t.stdout, "serving http://%s\n", l.Addr())
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
