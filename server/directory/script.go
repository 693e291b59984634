package directory

import (
	"context"
	_ "embed"

	"github.com/redis/go-redis/v9"
)

//go:embed whole.lua
var wholeSource string

//go:embed apply.lua
var applySource string

//go:embed fence.lua
var fenceSource string

//go:embed purge.lua
var purgeSource string

//go:embed moves.lua
var movesSource string

//go:embed dropmoves.lua
var dropMovesSource string

var (
	applyScript     = redis.NewScript(wholeSource + applySource)
	fenceScript     = redis.NewScript(wholeSource + fenceSource)
	purgeScript     = redis.NewScript(purgeSource)
	movesScript     = redis.NewScript(wholeSource + movesSource)
	dropMovesScript = redis.NewScript(wholeSource + dropMovesSource)
)

// The first element of a script's reply.
const (
	statusOK         = "OK"
	statusIncomplete = "INCOMPLETE"
	statusStale      = "STALE"
)

// call is one run of a script on the keys of one partition.
type call struct {
	keys []string
	args []any

	reply []any // what follows the status, if err is nil
	err   error // ErrIncomplete, ErrStale or ErrUnavailable
}

// run runs the script once for each call, all in one pipeline, and sets reply and err of each. By digest first; calls
// that met a server without the script send its text.
func (s *Store) run(ctx context.Context, script *redis.Script, calls []*call) {
	unknown := s.send(ctx, calls, script.EvalSha)
	s.send(ctx, unknown, script.Eval)
}

// evaluate is EvalSha or Eval of a redis.Script.
type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

// send runs the calls and returns those whose server did not know the script.
func (s *Store) send(ctx context.Context, calls []*call, eval evaluate) (unknown []*call) {
	if len(calls) == 0 {
		return nil
	}
	pipe := s.rdb.Pipeline()
	answers := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		answers[i] = eval(ctx, pipe, c.keys, c.args...)
	}
	_, err := pipe.Exec(ctx)
	failed := pipelineFailed(err)
	for i, c := range calls {
		err := answers[i].Err()
		switch {
		case redis.HasErrorPrefix(err, "NOSCRIPT"):
			c.err = unavailable(err)
			unknown = append(unknown, c)
		case err != nil:
			c.err = unavailable(err)
		case answers[i].Val() == nil && failed != nil:
			c.err = failed
		default:
			c.reply, c.err = parseReply(answers[i].Val())
		}
	}
	return unknown
}

// parseReply takes the status off a script's reply and returns the rest, or the error that the status stands for.
func parseReply(value any) ([]any, error) {
	reply, _ := value.([]any)
	if len(reply) == 0 {
		return nil, errUnexpectedReply
	}
	switch reply[0] {
	case statusOK:
		return reply[1:], nil
	case statusIncomplete:
		return nil, ErrIncomplete
	case statusStale:
		return nil, ErrStale
	default:
		return nil, errUnexpectedReply
	}
}
