package main

import (
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
	Mint   tokenMintCommand   `cmd:"" help:"Print a token."`
}

// tokenKeygenCommand is kith token keygen.
type tokenKeygenCommand struct {
	Out string `required:"" placeholder:"FILE" help:"Where to write the private key (PEM, mode 0600). The file must not exist."`
}

// Run writes the private key and prints the public one, which is what kith serve --token-keys takes.
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
	public, err := signer.MarshalPublicPEM()
	if err != nil {
		return err
	}
	_, err = t.stdout.Write(public)
	return err
}

// tokenMintCommand is kith token mint.
type tokenMintCommand struct {
	Key      string        `required:"" placeholder:"FILE" help:"Signing key, from kith token keygen or DIR/token.key."`
	Account  string        `required:"" placeholder:"ID" help:"Account that the token is for (sub)."`
	Scope    []string      `required:"" placeholder:"SCOPE" enum:"discover,register,operate" help:"What it is for: discover, register or operate; several with commas."`
	Audience string        `default:"kith" placeholder:"AUD" help:"Audience (aud)."`
	TTL      time.Duration `name:"ttl" default:"24h" help:"How long it is valid."`
}

// Run prints the token.
func (cmd *tokenMintCommand) Run(t *terminal) error {
	if cmd.TTL <= 0 {
		return errors.New("--ttl: a token has to be valid for some time")
	}
	text, err := os.ReadFile(cmd.Key)
	if err != nil {
		return fileError("signing key", err)
	}
	signer, err := token.ParseSigner(text)
	if err != nil {
		return withHint(fmt.Errorf("%s is not a signing key", cmd.Key), "kith token keygen --out FILE makes one")
	}
	minted, err := signer.Mint(cmd.Account, strings.Join(cmd.Scope, " "), cmd.Audience, time.Now(), cmd.TTL)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.stdout, minted)
	return err
}
