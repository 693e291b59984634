package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrEviction is returned for a server that may evict keys when its memory is full, or that does not say.
	ErrEviction = errors.New("directory: Redis may evict keys: set maxmemory-policy to noeviction")
	// ErrVersion is returned for a server older than MinServerVersion, or that does not say.
	ErrVersion = errors.New("directory: Redis is older than 7.0")
)

// MinServerVersion is the lowest major version of Redis that is supported.
const MinServerVersion = 7

// minListpackValue is the lowest hash-max-listpack-value that stores buckets compactly; the shipped one is 128.
const minListpackValue = 128

// Report is what CheckServer found.
type Report struct {
	// Masters is the number of servers that were asked, 1 without a cluster.
	Masters int
	// Warnings are sentences for the operator, each once, in alphabetical order. They name settings, not servers.
	Warnings []string
}

// CheckServer asks every master whether it can be trusted with a directory. It is for the start of a server, and for Redis
// alone: the embedded store of package ephemeral, which keeps nothing anyway, does not answer and would be refused.
//
// It returns ErrEviction and ErrVersion for servers that must not be used, and ErrUnavailable if one cannot be asked.
// The report warns of settings that cost memory or durability; where CONFIG is not permitted it says that they could
// not be checked.
func CheckServer(ctx context.Context, rdb redis.UniversalClient) (Report, error) {
	var (
		mu     sync.Mutex
		report Report
		errs   errorSet
	)
	ask := func(ctx context.Context, node *redis.Client) error {
		warnings, err := checkNode(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		report.Masters++
		report.Warnings = append(report.Warnings, warnings...)
		errs.add(err)
		return nil
	}

	switch client := rdb.(type) {
	case *redis.Client:
		_ = ask(ctx, client) // its errors are in errs
	case *redis.ClusterClient:
		if err := client.ForEachMaster(ctx, ask); err != nil {
			errs.add(unavailable(err))
		}
	default:
		return Report{}, fmt.Errorf("%w: client of a kind that is not supported", ErrUnavailable)
	}
	slices.Sort(report.Warnings)
	report.Warnings = slices.Compact(report.Warnings)
	return report, errs.join()
}

// checkNode checks one server.
func checkNode(ctx context.Context, node *redis.Client) (warnings []string, err error) {
	info, err := readInfo(ctx, node)
	if err != nil {
		return nil, err
	}
	var errs errorSet
	if info["maxmemory_policy"] != "noeviction" {
		errs.add(ErrEviction)
	}
	major, _, _ := strings.Cut(info["redis_version"], ".")
	if n, err := strconv.Atoi(major); err != nil || n < MinServerVersion {
		errs.add(ErrVersion)
	}
	if err := errs.join(); err != nil {
		return nil, err
	}

	settings, err := readSettings(ctx, node)
	if err != nil {
		return nil, err
	}
	return append(durabilityWarnings(info, settings), memoryWarnings(settings)...), nil
}

// readInfo returns the lines of INFO by name. INFO is asked rather than CONFIG for what decides, because managed
// servers often forbid CONFIG.
func readInfo(ctx context.Context, node *redis.Client) (map[string]string, error) {
	text, err := node.Info(ctx).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// readSettings returns the settings that only CONFIG tells; none if it is not permitted.
func readSettings(ctx context.Context, node *redis.Client) (map[string]string, error) {
	settings := make(map[string]string)
	for _, name := range []string{"appendfsync", "hash-max-listpack-value"} {
		values, err := node.ConfigGet(ctx, name).Result()
		if refused(err) {
			continue
		}
		if err != nil {
			return nil, unavailable(err)
		}
		settings[name] = values[name]
	}
	return settings, nil
}

// durabilityWarnings says what a server can lose of what it has acknowledged.
func durabilityWarnings(info, settings map[string]string) []string {
	if info["aof_enabled"] != "1" {
		return []string{"appendonly is off: a restart loses every registration and deletion since the last RDB snapshot, or all of them if there is none"}
	}
	switch settings["appendfsync"] {
	case "always":
		return nil
	case "everysec":
		return []string{"appendfsync is everysec: if the machine stops, up to 2 seconds of acknowledged registrations and deletions are lost"}
	case "no":
		return []string{"appendfsync is no: if the machine stops, acknowledged registrations and deletions are lost, on Linux up to about 30 seconds of them"}
	default:
		return []string{"appendfsync could not be read: unless it is always, acknowledged registrations and deletions can be lost when the machine stops"}
	}
}

// memoryWarnings says when buckets are not stored compactly.
func memoryWarnings(settings map[string]string) []string {
	value, known := settings["hash-max-listpack-value"]
	if !known {
		return []string{"hash-max-listpack-value could not be read: below 128, records take about half as much memory again"}
	}
	if n, err := strconv.Atoi(value); err != nil || n < minListpackValue {
		return []string{"hash-max-listpack-value is below 128: records take about half as much memory again"}
	}
	return nil
}
