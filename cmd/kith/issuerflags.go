package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/token"
)

// issuerFlags are the flags of kith serve about who may issue tokens.
type issuerFlags struct {
	TokenKeys     string        `placeholder:"FILE" help:"Public keys of those who issue tokens, in PEM or as a JSON Web Key Set: Ed25519 or P-256. With it, or --issuer, no tokens are written to DIR."`
	TokenAudience string        `default:"kith" placeholder:"AUD" help:"Audience that tokens must name (default ${default})."`
	Issuer        []string      `sep:"none" placeholder:"SPEC" help:"Who else may issue tokens, as 'name=ISS;keys=FILE-OR-URL;audience=AUD;scope=discover,register': the claim iss, where its keys are (https), and optionally the audience and the scopes that its tokens are good for. Can be repeated."`
	TokenRefresh  time.Duration `default:"5m" placeholder:"TIME" help:"How often keys of issuers are read again (default ${default}), from 1s to 24h. Those read last stay while they can not be."`
	TokenLeeway   time.Duration `default:"30s" placeholder:"TIME" help:"How far the clocks of issuer and server may differ (default ${default}), up to 5m."`
}

// given reports whether issuers are configured.
func (f *issuerFlags) given() bool { return f.TokenKeys != "" || len(f.Issuer) > 0 }

// parseIssuer reads the text of --issuer and where its keys are.
func parseIssuer(text string) (issuer token.Issuer, location string, err error) {
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		switch name = strings.TrimSpace(name); {
		case !ok || value == "":
			return issuer, "", errIssuer
		case name == "name" && issuer.Name == "":
			issuer.Name = value
		case name == "keys" && location == "":
			location = value
		case name == "audience" && issuer.Audience == "":
			issuer.Audience = value
		case name == "scope" && issuer.Scopes == nil:
			issuer.Scopes = strings.Split(value, ",")
		default:
			return issuer, "", errIssuer
		}
	}
	if issuer.Name == "" || location == "" {
		return issuer, "", errIssuer
	}
	return issuer, location, nil
}

var errIssuer = withHint(errors.New("--issuer: not of the form name=…;keys=…"),
	"--issuer 'name=https://id.example.org;keys=https://id.example.org/jwks.json;scope=discover'")

// check refuses flags that can not be.
func (f *issuerFlags) check() error {
	if f.TokenLeeway < time.Second || f.TokenLeeway > 5*time.Minute {
		return errors.New("--token-leeway: from 1s to 5m")
	}
	if f.TokenRefresh < time.Second || f.TokenRefresh > 24*time.Hour {
		return errors.New("--token-refresh: from 1s to 24h")
	}
	var names []string
	for _, text := range f.Issuer {
		issuer, _, err := parseIssuer(text)
		if err != nil {
			return err
		}
		if slices.Contains(names, issuer.Name) {
			return fmt.Errorf("--issuer: %s twice", issuer.Name)
		}
		names = append(names, issuer.Name)
		for _, scope := range issuer.Scopes {
			if !slices.Contains([]string{token.ScopeDiscover, token.ScopeRegister, token.ScopeOperate}, scope) {
				return withHint(fmt.Errorf("--issuer %s: unknown scope", issuer.Name), "scopes are discover, register and operate, with commas")
			}
		}
	}
	return nil
}

// verifier returns a verifier for the issuers of the flags, whose keys are read now, and read again while it runs.
func (f *issuerFlags) verifier(ctx context.Context, logger *slog.Logger, metrics *server.Metrics) (*token.Verifier, error) {
	config := token.Config{Leeway: f.TokenLeeway}
	add := func(flag, location string, issuer token.Issuer) error {
		name := cmp.Or(issuer.Name, "any")
		keys, err := token.OpenKeys(ctx, token.KeysOptions{Location: location, Refresh: f.TokenRefresh, Report: reportKeys(logger, name)})
		if err != nil {
			return keysError(flag, err)
		}
		metrics.WatchIssuer(name, keys.State)
		issuer.Keys = keys
		config.Issuers = append(config.Issuers, issuer)
		return nil
	}
	if f.TokenKeys != "" {
		if err := add("--token-keys", f.TokenKeys, token.Issuer{Audience: f.TokenAudience}); err != nil {
			return nil, err
		}
	}
	for _, text := range f.Issuer {
		issuer, location, err := parseIssuer(text)
		if err != nil {
			return nil, err
		}
		if issuer.Audience == "" {
			issuer.Audience = f.TokenAudience
		}
		if err := add("--issuer "+issuer.Name, location, issuer); err != nil {
			return nil, err
		}
	}
	return token.New(config)
}

// own returns a verifier for tokens that are signed with the key of the server's own folder.
func (f *issuerFlags) own(signer *token.Signer) (*token.Verifier, error) {
	keys, err := token.FixedKeys(signer.Public())
	if err != nil {
		return nil, err
	}
	return token.New(token.Config{Issuers: []token.Issuer{{Audience: f.TokenAudience, Keys: keys}}, Leeway: f.TokenLeeway})
}

// reportKeys returns what logs each change between keys that can be read and keys that can not.
func reportKeys(logger *slog.Logger, issuer string) func(error) {
	said := ""
	return func(err error) {
		switch {
		case err == nil && said != "":
			said = ""
			logger.Info("keys of an issuer are read again", "issuer", issuer)
		case err != nil && readFailure(err) != said:
			said = readFailure(err)
			logger.Warn("keys of an issuer not read; the last ones stay", "issuer", issuer, "cause", said)
		}
	}
}

// readFailure says why keys could not be read, without the addresses that package net puts into its errors. Those of package
// token have nothing of what was read.
func readFailure(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return token.ErrUnreadable.Error() + ": " + e.Err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Sprintf("%v: %s: %v", token.ErrUnreadable, e.Op, e.Err)
	}
	return err.Error()
}

// keysError adds hints to the errors of reading keys for a flag.
func keysError(flag string, err error) error {
	err = fmt.Errorf("%s: %w", flag, err)
	switch {
	case errors.Is(err, token.ErrUnreadable):
		return withHint(err, "check the path or the URL: without keys at the start every token of the issuer would be refused")
	case errors.Is(err, token.ErrLocation):
		return withHint(err, "a file, or a URL that begins with https://")
	default:
		return withHint(err, "kith token keygen makes a key that fits")
	}
}
