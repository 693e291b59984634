package main

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kith-project/kith/server/usage"
)

// The states and phases that the commands act on, as GET /v1/epochs has them.
const (
	stateStaged   = "staged"
	stateActive   = "active"
	stateDraining = "draining"
	stateRetired  = "retired"
	stateAborted  = "aborted"

	phaseVerify = "verify"
	phaseReady  = "ready"
	phaseSettle = "settle"
)

// epochsStatus is the answer of GET /v1/epochs, as far as the commands need it.
type epochsStatus struct {
	Generation uint64        `json:"generation"`
	KeyCeiling int64         `json:"key_ceiling"`
	Epochs     []epochStatus `json:"epochs"`
}

type epochStatus struct {
	ID          uint32         `json:"id"`
	State       string         `json:"state"`
	Created     time.Time      `json:"created"`
	BucketBits  uint8          `json:"bucket_bits"`
	Slots       int            `json:"slots"`
	Users       int64          `json:"users"`
	Evaluations int64          `json:"evaluations"`
	From        uint32         `json:"from"`
	RetireAt    time.Time      `json:"retire_at"`
	Rotation    *rotationState `json:"rotation"`
}

// rotationState is how far the work on an epoch is.
type rotationState struct {
	Phase            string  `json:"phase"`
	Items            int64   `json:"items"`
	ItemsDone        int64   `json:"items_done"`
	Records          int64   `json:"records"`
	RecordsDone      int64   `json:"records_done"`
	RecordsPerSecond float64 `json:"records_per_second"`
	ETASeconds       float64 `json:"eta_seconds"`
	Repaired         int64   `json:"repaired"`
	Unreadable       int64   `json:"unreadable"`
	Accepted         int64   `json:"accepted"`
	Auto             bool    `json:"auto"`
}

// stuck reports whether the rotation waits for an operator to give up records that can not be read.
func (r *rotationState) stuck() bool {
	return r.Phase == phaseVerify && r.Unreadable > r.Accepted && r.Items > 0 && r.ItemsDone >= r.Items
}

// epoch returns the epoch of this id, or nil.
func (s *epochsStatus) epoch(id uint32) *epochStatus {
	for i := range s.Epochs {
		if s.Epochs[i].ID == id {
			return &s.Epochs[i]
		}
	}
	return nil
}

// status asks for the epochs. The second result is the answer as it came.
func (f *adminFlags) status(ctx context.Context) (*epochsStatus, []byte, error) {
	data, err := f.call(ctx, http.MethodGet, "/v1/epochs", nil)
	if err != nil {
		return nil, nil, err
	}
	s := new(epochsStatus)
	return s, data, decodeAnswer(data, s)
}

// epochListCommand is kith epoch list.
type epochListCommand struct{ adminFlags }

// Run prints one line an epoch.
func (cmd *epochListCommand) Run(ctx context.Context, t *terminal) error {
	s, _, err := cmd.status(ctx)
	if err != nil {
		return err
	}
	return printEpochs(t.stdout, s)
}

// epochStatusCommand is kith epoch status.
type epochStatusCommand struct {
	adminFlags
	JSON bool `help:"Print one JSON object."`
}

// Run prints the epochs, what is being done about them, and what an operator should do.
func (cmd *epochStatusCommand) Run(ctx context.Context, t *terminal) error {
	s, data, err := cmd.status(ctx)
	if err != nil {
		return err
	}
	if cmd.JSON {
		_, err := fmt.Fprintf(t.stdout, "%s\n", strings.TrimSpace(string(data)))
		return err
	}
	if err := printEpochs(t.stdout, s); err != nil {
		return err
	}
	if lines := s.describe(); len(lines) > 0 {
		fmt.Fprintf(t.stdout, "\n%s\n", strings.Join(lines, "\n"))
	}
	for _, warning := range s.warnings() {
		t.say("warning: %s", warning)
	}
	return nil
}

// printEpochs writes a table of the epochs.
func printEpochs(w io.Writer, s *epochsStatus) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EPOCH\tSTATE\tUSERS\tBUCKETS\tCREATED\tEVALUATIONS")
	for _, e := range s.Epochs {
		users, buckets := fmt.Sprint(e.Users), fmt.Sprint(uint64(1)<<min(e.BucketBits, 63))
		if e.State == stateRetired || e.State == stateAborted {
			users, buckets = "-", "-"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%d\n", e.ID, printable(e.State), users, buckets, timeText(e.Created), e.Evaluations)
	}
	return table.Flush()
}

func timeText(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// describe returns a line or two for each epoch that something is being done about.
func (s *epochsStatus) describe() []string {
	var lines []string
	for _, e := range s.Epochs {
		if e.State == stateDraining && !e.RetireAt.IsZero() {
			lines = append(lines, fmt.Sprintf("epoch %d drains: it answers devices that have not moved, at least until %s", e.ID, timeText(e.RetireAt)))
		}
		if r := e.Rotation; r != nil {
			if text := r.describe(e.ID); text != "" {
				lines = append(lines, text)
			}
		}
	}
	return lines
}

// phaseTexts say what is being done in a phase.
var phaseTexts = map[string]string{
	"prepare":   "making partitions",
	"copy":      "copying registrations",
	phaseVerify: "checking every registration",
	phaseReady:  "becoming active",
	phaseSettle: "active; comparing registrations once more with the epoch before",
	"sweep":     "over; what is stored of it is removed, and some minutes later once more",
}

// describe returns what is being done about an epoch, "" for nothing.
func (r *rotationState) describe(id uint32) string {
	if r.Phase == phaseReady {
		if r.Auto {
			return fmt.Sprintf("epoch %d: every registration is verified; it becomes active in a moment", id)
		}
		return fmt.Sprintf("epoch %d: every registration is verified; kith epoch activate %d makes it active", id, id)
	}
	text, working := phaseTexts[r.Phase]
	if !working {
		return ""
	}
	line := fmt.Sprintf("epoch %d: %s", id, text)
	if progress := r.progress(); progress != "" {
		line += ", " + progress
	}
	if r.Repaired > 0 {
		line += fmt.Sprintf("; %d were copied again", r.Repaired)
	}
	return line
}

// progress returns how much is done, how fast, and how long the rest takes.
func (r *rotationState) progress() string {
	var parts []string
	switch {
	case r.Records > 0:
		parts = append(parts, fmt.Sprintf("%d of %d", min(r.RecordsDone, r.Records), r.Records))
	case r.Items > 0:
		parts = append(parts, fmt.Sprintf("%d of %d ranges", r.ItemsDone, r.Items))
	}
	if r.RecordsPerSecond >= 1 {
		parts = append(parts, fmt.Sprintf("%.0f a second", r.RecordsPerSecond))
	}
	if r.ETASeconds >= 1 {
		parts = append(parts, "about "+(time.Duration(r.ETASeconds)*time.Second).String()+" left")
	}
	return strings.Join(parts, ", ")
}

// warnings returns what an operator should know and do.
func (s *epochsStatus) warnings() []string {
	var out []string
	for _, e := range s.Epochs {
		if r := e.Rotation; r != nil && r.Unreadable > r.Accepted && (e.State == stateStaged || r.Phase == phaseSettle) {
			out = append(out, e.unreadable()+": "+e.unreadableHint())
		}
		if e.State == stateActive && s.KeyCeiling > 0 {
			if text := ceilingText(e.ID, e.Evaluations, s.KeyCeiling); text != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

// unreadable says that registrations can not be read.
func (e *epochStatus) unreadable() string {
	count := "1 registration"
	if n := e.Rotation.Unreadable; n != 1 {
		count = fmt.Sprintf("%d registrations", n)
	}
	if e.State == stateActive {
		return fmt.Sprintf("%s can not be read any more, so that epoch %d is not retired and no other rotation begins", count, e.From)
	}
	return fmt.Sprintf("%s can not be read, so that epoch %d does not become active by itself", count, e.ID)
}

// unreadableHint says what to do about it.
func (e *epochStatus) unreadableHint() string {
	if e.State == stateActive {
		return fmt.Sprintf("kith epoch activate %d --accept-loss %d gives up what epoch %d alone may have of them; registering these numbers anew mends it too", e.ID, e.Rotation.Unreadable, e.From)
	}
	return fmt.Sprintf("kith epoch activate %d --accept-loss %d gives up what can not be read, kith epoch abort %d stays with epoch %d",
		e.ID, e.Rotation.Unreadable, e.ID, e.From)
}

// ceilingText warns of a key that has answered for as many elements as it should, or soon will; "" while there is no need.
func ceilingText(epoch uint32, evaluations, ceiling int64) string {
	switch usage.LevelOf(evaluations, ceiling) {
	case usage.Above:
		return fmt.Sprintf("the key of epoch %d has evaluated %d elements, over its ceiling of %s: rotate it (kith epoch rotate)", epoch, evaluations, ceilingName(ceiling))
	case usage.Near:
		return fmt.Sprintf("the key of epoch %d has evaluated %d elements, more than three quarters of its ceiling of %s: rotate it soon (kith epoch rotate)", epoch, evaluations, ceilingName(ceiling))
	default:
		return ""
	}
}

// ceilingName writes powers of two as such.
func ceilingName(n int64) string {
	if n&(n-1) == 0 && n >= 1<<10 {
		return fmt.Sprintf("2^%d", bits.TrailingZeros64(uint64(n)))
	}
	return fmt.Sprint(n)
}
