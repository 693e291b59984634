package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/kith-project/kith/client"
)

// adminFlags are the flags of the commands that speak to the admin address of a server, as an operator.
type adminFlags struct {
	Admin     string `env:"KITH_ADMIN" required:"" placeholder:"URL" help:"Admin address of a server, which kith serve --admin prints: any of them will do."`
	TokenFile string `env:"KITH_OPERATE_TOKEN_FILE" required:"" placeholder:"F" help:"File with a token of scope operate: DIR/operate.token of kith serve, for one."`
	Plaintext bool   `help:"Allow http:// to another host than this one: the token can be read on the way."`
	clientTLSFlags
}

// maxAnswer bounds an answer of the admin address, bytes.
const maxAnswer = 16 << 20

// call makes one request. A body that is not nil is sent as JSON; the answer is returned as it came. It returns the
// problem that the server answered with, or a *connectError.
func (f *adminFlags) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	token, err := readToken(f.TokenFile)
	if err != nil {
		return nil, err
	}
	server, err := client.CheckServer(f.Admin, f.Plaintext)
	if err != nil {
		return nil, adminURLError(err)
	}
	var data []byte
	if body != nil {
		if data, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, server+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return f.fetch(request, maxAnswer)
}

// connectError is a request that got no answer.
type connectError struct{ error }

func (e *connectError) Unwrap() error { return e.error }

// fetch makes a request and returns the body of its answer, which has to be one of success of at most limit bytes.
func (f *clientTLSFlags) fetch(request *http.Request, limit int64) ([]byte, error) {
	via, err := f.client()
	if err != nil {
		return nil, err
	}
	// Each request is by a client of its own, and so leaves no connection behind.
	defer via.CloseIdleConnections()
	answer, err := via.Do(request)
	if err != nil {
		if ended := request.Context().Err(); ended != nil {
			return nil, ended
		}
		return nil, &connectError{connectionError(err)}
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode/100 != 2 {
		return nil, problemError(answer)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, &connectError{connectionError(err)}
	case int64(len(data)) > limit:
		return nil, errors.New("the server's answer is too long to be one")
	}
	return data, nil
}

// decodeAnswer reads an answer in JSON. Members that it does not know are of a later version, and passed over.
func decodeAnswer(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return withHint(errors.New("the server's answer can not be read"), "is there a Kith server at that address?")
	}
	return nil
}

// adminURLError adds hints to the errors of checking an address.
func adminURLError(err error) error {
	if errors.Is(err, client.ErrInsecure) {
		return withHint(err, "run this beside the server, or use --plaintext if the way to it is safe otherwise")
	}
	return withHint(err, "--admin http://127.0.0.1:8081, as kith serve --admin prints it")
}

// epochPath returns the path of a step.
func epochPath(id uint32, step string) string { return fmt.Sprintf("/v1/epochs/%d/%s", id, step) }
