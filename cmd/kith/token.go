package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kith-project/kith/server/token"
)

// tokenCommand makes keys and tokens.
type tokenCommand struct {
	Keygen tokenKeygenCommand `cmd:"" help:"Make a signing key, and print its public key."`
	Public tokenPublicCommand `cmd:"" help:"Print the public key of a signing key."`
	Mint   tokenMintCommand   `cmd:"" help:"Print a token."`
}

// tokenKeygenCommand is kith token keygen.
type tokenKeygenCommand struct {
	Out  string `required:"" placeholder:"FILE" help:"Where to write the private key (PEM, mode 0600). The file must not exist."`
	JWKS bool   `name:"jwks" help:"Print the public key as a JSON Web Key Set, as issuers publish theirs, and not in PEM."`
}

// Run writes the private key and prints the public one, which is what kith serve takes, at --token-keys or --issuer.
func (cmd *tokenKeygenCommand) Run(t *terminal) error {
	signer, err := token.NewSigner()
	if err != nil {
		return err
	}
	private, err := signer.MarshalPEM()
	if err != nil {
		return err
	}
	if err := writeNew(cmd.Out, private); err != nil {
		return err
	}
	return printPublic(t, signer, cmd.JWKS)
}

// printPublic prints the public key of a signer.
func printPublic(t *terminal, signer *token.Signer, jwks bool) error {
	marshal := signer.MarshalPublicPEM
	if jwks {
		marshal = signer.MarshalKeySet
	}
	public, err := marshal()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.stdout, "%s\n", bytes.TrimSpace(public))
	return err
}

// tokenPublicCommand is kith token public.
type tokenPublicCommand struct {
	Key  string `arg:"" placeholder:"FILE" help:"Signing key, from kith token keygen or DIR/token.key."`
	JWKS bool   `name:"jwks" help:"Print a JSON Web Key Set, and not PEM."`
}

// Run prints the public key.
func (cmd *tokenPublicCommand) Run(t *terminal) error {
	signer, err := readSigner(cmd.Key)
	if err != nil {
		return err
	}
	return printPublic(t, signer, cmd.JWKS)
}

// readSigner reads a signing key.
func readSigner(path string) (*token.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fileError("signing key", err)
	}
	signer, err := token.ParseSigner(text)
	if err != nil {
		return nil, withHint(fmt.Errorf("%s is not a signing key", path), "kith token keygen --out FILE makes one")
	}
	return signer, nil
}

// tokenMintCommand is kith token mint.
type tokenMintCommand struct {
	Key      string        `required:"" placeholder:"FILE" help:"Signing key, from kith token keygen or DIR/token.key."`
	Account  string        `required:"" placeholder:"ID" help:"Account that the token is for (sub)."`
	Scope    []string      `required:"" placeholder:"SCOPE" enum:"discover,register,operate" help:"What it is for: discover, register or operate; several with commas."`
	Audience string        `default:"kith" placeholder:"AUD" help:"Audience (aud)."`
	Issuer   string        `placeholder:"NAME" help:"Issuer (iss), as kith serve --issuer names it. By default the token names none."`
	TTL      time.Duration `name:"ttl" default:"24h" help:"How long it is valid."`
}

// Run prints the token.
func (cmd *tokenMintCommand) Run(t *terminal) error {
	if cmd.TTL <= 0 {
		return errors.New("--ttl: a token has to be valid for some time")
	}
	signer, err := readSigner(cmd.Key)
	if err != nil {
		return err
	}
	minted, err := signer.WithIssuer(cmd.Issuer).Mint(cmd.Account, strings.Join(cmd.Scope, " "), cmd.Audience, time.Now(), cmd.TTL)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.stdout, minted)
	return err
}
