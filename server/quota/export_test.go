package quota

import "strings"

// UseClock makes the ledger's scripts read the time from the hash "clock", fields s and us, in place of TIME: a server's
// clock that a test can set.
func (l *Ledger) UseClock() {
	l.scripts = newScripts(func(source string) string {
		return strings.ReplaceAll(source, "redis.call('TIME')", "redis.call('HMGET', 'clock', 's', 'us')")
	})
}

// ParseReply is what takes apart the replies of scripts.
var ParseReply = parseReply
