package client

import (
	"context"
	"time"
)

// SetSleep replaces the waiting between tries, and takes the jitter out of it.
func (c *Client) SetSleep(f func(context.Context, time.Duration) error) {
	c.retry.sleep = f
	c.retry.jitter = func(time.Duration) time.Duration { return 0 }
}

// SetJitter replaces the random times.
func (c *Client) SetJitter(f func(time.Duration) time.Duration) { c.retry.jitter = f }

// SetNow replaces the clock.
func (c *Client) SetNow(f func() time.Time) { c.now = f }
