package meter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrMetrics means that what was read are no metrics of a process.
var ErrMetrics = errors.New("meter: no process_cpu_seconds_total in the metrics")

// maxMetrics bounds what is read of metrics, bytes.
const maxMetrics = 16 << 20

// Server is what a kith serve process has used since it was started.
type Server struct {
	CPU time.Duration // of all its threads, in user and system mode
	RSS int64         // its memory now, bytes; 0 where the system does not say
}

// ReadServer reads /metrics at an admin address, such as http://127.0.0.1:8081. It returns ErrMetrics if they have no
// processor time, and network errors.
func ReadServer(ctx context.Context, via *http.Client, admin string) (Server, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return Server{}, fmt.Errorf("meter: %w", err)
	}
	answer, err := via.Do(request)
	if err != nil {
		return Server{}, fmt.Errorf("meter: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return Server{}, fmt.Errorf("meter: metrics: status %d", answer.StatusCode)
	}
	return ParseServer(io.LimitReader(answer.Body, maxMetrics))
}

// ParseServer reads metrics in the text format of Prometheus. It returns ErrMetrics if they have no processor time.
func ParseServer(r io.Reader) (Server, error) {
	var s Server
	found := false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMetrics)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		switch name {
		case "process_cpu_seconds_total":
			s.CPU, found = time.Duration(value*float64(time.Second)), true
		case "process_resident_memory_bytes":
			s.RSS = int64(value)
		}
	}
	if err := lines.Err(); err != nil {
		return Server{}, fmt.Errorf("meter: metrics: %w", err)
	}
	if !found {
		return Server{}, ErrMetrics
	}
	return s, nil
}
