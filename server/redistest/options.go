package redistest

// Option changes the configuration of a server before it starts. Options apply in order, and all of them come after
// deploy/redis.conf.
type Option func(*config)

// config is what one server adds to deploy/redis.conf.
type config struct {
	password   string
	directives []directive // written after the shipped ones; in Redis the last one of a name holds
}

type directive struct{ name, value string }

// AppendFsync sets when the append-only file is synced: "always" (as shipped), "everysec" or "no".
func AppendFsync(policy string) Option {
	return Config("appendfsync", policy)
}

// Config sets one directive of redis.conf, for instance Config("maxmemory-policy", "allkeys-lru"). The value is written
// as one quoted argument.
func Config(name, value string) Option {
	return func(c *config) { c.directives = append(c.directives, directive{name, value}) }
}
