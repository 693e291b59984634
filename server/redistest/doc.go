// Package redistest starts real Redis processes for tests and benchmarks, alone or as a cluster.
//
// Each server is a new redis-server process with the configuration that Kith ships (deploy/redis.conf), a free loopback
// port, a temporary folder and a random password. No test ever talks to a server that it did not start, and each server
// is killed when its test ends. Besides the ordinary life of a server the package offers its failures: Kill (SIGKILL),
// Restart on the same data, Pause and Resume (SIGSTOP, SIGCONT). A Proxy before it breaks connections before or after a call
// took effect, and OnEachStore runs a test on the embedded store too.
//
// A machine without redis-server fails the test with a hint instead of skipping it: what these tests show must not
// silently go unshown. The binary is found on PATH.
//
// It leaves out anything that a test can say to the server itself through its client. It turns off go-redis's logger for
// the whole test process, because that prints the address of each server that was killed on purpose.
//
// The package is for Unix systems. The methods of a Server are for one goroutine at a time, usually that of the test;
// clients may be used by many.
package redistest
