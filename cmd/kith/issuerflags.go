package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/token"
)

// issuerFlags are the flags of kith serve about who may issue tokens.
type issuerFlags struct {
	TokenKeys     string        `placeholder:"FILE" help:"Public keys of those who issue tokens, in PEM or as a JSON Web Key Set: Ed25519 or P-256. Read again when it changes. With it no tokens are written to DIR."`
	TokenAudience string        `default:"kith" placeholder:"AUD" help:"Audience that tokens must name (default ${default})."`
	Issuer        []string      `sep:"none" placeholder:"SPEC" help:"Who else may issue tokens, as 'name=ISS;keys=FILE-OR-URL;audience=AUD;scope=discover register': the claim iss, where its keys are (https), and optionally the audience and the scopes that its tokens are good for. Can be repeated."`
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
			issuer.Scopes = strings.Fields(value)
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
	for _, text := range f.Issuer {
		if _, _, err := parseIssuer(text); err != nil {
			return err
		}
	}
	return nil
}

// verifier returns a verifier for the issuers of the flags, whose keys are read now, and read again while it runs.
func (f *issuerFlags) verifier(ctx context.Context, logger *slog.Logger, metrics *server.Metrics) (*token.Verifier, error) {
	config := token.Config{Leeway: f.TokenLeeway}
	add := func(flag, location string, issuer token.Issuer) error {
		keys, err := openKeys(ctx, logger, issuer.Name, location)
		if err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
		metrics.WatchIssuer(issuer.Name, keys.State)
		issuer.Keys = keys
		config.Issuers = append(config.Issuers, issuer)
		return nil
	}
	if f.TokenKeys != "" {
		if err := add("--token-keys", f.TokenKeys, token.Issuer{Audience: f.TokenAudience}); err != nil {
			return nil, err
		}
	}
	seen := make(map[string]bool)
	for _, text := range f.Issuer {
		issuer, location, err := parseIssuer(text)
		if err != nil {
			return nil, err
		}
		if seen[issuer.Name] {
			return nil, fmt.Errorf("--issuer: %s twice", issuer.Name)
		}
		seen[issuer.Name] = true
		if issuer.Audience == "" {
			issuer.Audience = f.TokenAudience
		}
		if err := add("--issuer "+issuer.Name, location, issuer); err != nil {
			return nil, err
		}
	}
	v, err := token.New(config)
	if errors.Is(err, token.ErrIssuers) {
		err = withHint(err, "scopes are discover, register and operate")
	}
	return v, err
}

// own returns a verifier for tokens that are signed with the key of the server's own folder.
func (f *issuerFlags) own(signer *token.Signer) (*token.Verifier, error) {
	keys, err := token.FixedKeys(signer.Public())
	if err != nil {
		return nil, err
	}
	return token.New(token.Config{Issuers: []token.Issuer{{Audience: f.TokenAudience, Keys: keys}}, Leeway: f.TokenLeeway})
}

// openKeys reads the keys of an issuer.
func openKeys(ctx context.Context, logger *slog.Logger, name, location string) (*token.Keys, error) {
	keys, err := token.OpenKeys(ctx, token.KeysOptions{Location: location, Report: func(err error) {
		if err != nil {
			logger.Warn("keys of an issuer not read; the last ones stay", "issuer", name, "cause", err.Error())
		}
	}})
	switch {
	case errors.Is(err, token.ErrUnreadable):
		return nil, withHint(err, "check the path or the URL: without keys at the start every token of the issuer would be refused")
	case errors.Is(err, token.ErrLocation):
		return nil, withHint(err, "a file, or a URL that begins with https://")
	}
	return keys, err
}
