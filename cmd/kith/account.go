package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
)

// accountFlags are the flags of the commands that speak as the messenger's account service.
type accountFlags struct {
	Number    string `arg:"" help:"Phone number, in international form or, with --region, in national form."`
	Server    string `env:"KITH_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Server (default ${default})."`
	TokenFile string `env:"KITH_REGISTER_TOKEN_FILE" required:"" placeholder:"F" help:"File with a token of scope register: DIR/register.token of kith serve, for one."`
	Region    string `placeholder:"CC" help:"Region of numbers in national form, such as US."`
	Version   uint64 `placeholder:"N" help:"Version of this write: the highest wins. By default the server assigns one."`
	Plaintext bool   `help:"Allow http:// to another host than this one: token and number can be read on the way."`
	clientTLSFlags
}

// registerCommand is kith register.
type registerCommand struct {
	accountFlags
	Label  string `required:"" placeholder:"TEXT" help:"What whoever finds the number is to see, such as a user id: at most 47 bytes."`
	Hidden bool   `help:"Register the number so that nobody finds it."`
}

// Run registers the number.
func (cmd *registerCommand) Run(ctx context.Context, t *terminal) error {
	body := map[string]any{"label": cmd.Label, "discoverable": !cmd.Hidden}
	applied, err := cmd.write(ctx, http.MethodPut, body)
	if err != nil {
		return err
	}
	what := "registered"
	if cmd.Hidden {
		what = "registered, hidden"
	}
	return sayApplied(t, applied, what)
}

// unregisterCommand is kith unregister.
type unregisterCommand struct {
	accountFlags
	Label *string `placeholder:"TEXT" help:"Remove the number only if this is its label: it may be another user's by now."`
}

// Run removes the number.
func (cmd *unregisterCommand) Run(ctx context.Context, t *terminal) error {
	body := map[string]any{}
	if cmd.Label != nil {
		body["label"] = *cmd.Label
	}
	applied, err := cmd.write(ctx, http.MethodDelete, body)
	if err != nil {
		return err
	}
	return sayApplied(t, applied, "removed")
}

func sayApplied(t *terminal, applied bool, what string) error {
	if !applied {
		what = "not applied: a later version is stored"
	}
	_, err := fmt.Fprintln(t.stdout, what)
	return err
}

// write sends one registration or deletion. It reports whether that is the write which is stored now.
func (f *accountFlags) write(ctx context.Context, method string, body map[string]any) (applied bool, err error) {
	number, err := normalize.Parse(f.Number, f.Region)
	if err != nil {
		return false, numberError(err)
	}
	body["number"] = number.E164
	if f.Version != 0 {
		body["version"] = f.Version
	}
	data, err := json.Marshal(body)
	if err != nil {
		return false, err
	}
	token, err := readToken(f.TokenFile)
	if err != nil {
		return false, err
	}
	server, err := client.CheckServer(f.Server, f.Plaintext)
	if err != nil {
		return false, clientError(err)
	}
	request, err := http.NewRequestWithContext(ctx, method, server+"/v1/registrations", bytes.NewReader(data))
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	via, err := f.client()
	if err != nil {
		return false, err
	}
	answer, err := via.Do(request)
	if err != nil {
		return false, connectionError(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusNoContent {
		return false, problemError(answer)
	}
	return answer.Header.Get("Kith-Applied") == "true", nil
}

// serverError is an answer of a server that is no success.
type serverError struct {
	status int
	code   string // of the RFC 9457 problem, or "" if it was none
	text   string
}

func (e *serverError) Error() string { return e.text }

// problemError reads an RFC 9457 problem. It returns a *serverError with a hint.
func problemError(answer *http.Response) error {
	var p struct {
		Code, Title, Detail string
	}
	if json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&p) != nil || p.Code == "" {
		err := &serverError{status: answer.StatusCode, text: "the server answered " + answer.Status}
		return withHint(err, "is there a Kith server at that address?")
	}
	return hintForCode(&serverError{
		status: answer.StatusCode, code: p.Code,
		text: fmt.Sprintf("the server refused (%s): %s", p.Code, strings.TrimSpace(p.Title+" "+p.Detail)),
	}, p.Code)
}

// hintForCode adds what to do about a problem of the server.
func hintForCode(err error, code string) error {
	switch code {
	case "unauthorized":
		return withHint(err, "the token is expired, or of another server: each start of kith serve writes new ones to its key directory")
	case "forbidden":
		return withHint(err, "the token has another scope: register.token registers, discover.token discovers, operate.token rotates keys")
	case "account-blocked":
		return withHint(err, "the operator of the server has blocked the account: kith quota unblock ACCOUNT ends that")
	case "idempotency-key-exhausted":
		return withHint(err, "the answers to one request were lost again and again: is something between here and the server cutting connections?")
	case "invalid-limits":
		return withHint(err, "from 1 to 50000000, or 0 for the limit of all")
	case "overloaded":
		return withHint(err, "nothing is lost: the server has too much to do, try again in a moment")
	case "not-found":
		return withHint(err, "is that the address for this? kith serve prints a public one, and with --admin one for operators")
	case "unknown-epoch", "wrong-state":
		return withHint(err, "kith epoch status shows which epochs there are, and how they stand")
	case "not-verified":
		return withHint(err, "kith epoch status shows how far the rotation is; if records can not be read, --accept-loss N gives them up")
	case "not-settled":
		return withHint(err, "the last rotation is compared once more before its old epoch can go: kith epoch status shows how far that is, or what keeps it")
	case "invalid-cosignature":
		return withHint(err, "the log may have grown since: kith keylog cosign signs the present checkpoint")
	case "unavailable", "internal":
		return withHint(err, "nothing is lost: try again in a moment")
	default:
		return err
	}
}

// connectionError drops the URL that net/http puts into its errors.
func connectionError(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if hint := certificateHint(err); hint != "" {
		return withHint(err, "%s", hint)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return withHint(err, "the server may ask for a certificate: --client-cert and --client-key")
	}
	return withHint(err, "is the server running? kith serve --ephemeral starts one to try things out")
}

// numberError explains why a number was not understood, without repeating it.
func numberError(err error) error {
	e, ok := errors.AsType[*normalize.Error](err)
	if !ok {
		return err
	}
	wrapped := fmt.Errorf("not a phone number (%s): %s", e.Reason, e.Reason.Explain())
	if e.Reason == normalize.ReasonUnknownRegion {
		return withHint(wrapped, "write it with + and country code, or give --region")
	}
	return wrapped
}

// readToken reads a token file.
func readToken(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fileError("token", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("token file %s is empty", path)
	}
	return text, nil
}
