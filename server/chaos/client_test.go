package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// tries bounds how often a call is made again while nothing is known of it.
	tries = 5
	// tryPause is the pause between two of them.
	tryPause = 60 * time.Millisecond
)

// client makes calls, as the account service of a messenger, and now and then as a device.
type client struct {
	name       string
	deployment *deployment
	http       *http.Client
	devices    *devices
}

// newClient returns a client that waits so long for an answer. Each call has a connection of its own, so that a call
// which nobody took is told from one that was not answered.
func newClient(name string, d *deployment, v *devices, patience time.Duration) *client {
	transport := &http.Transport{DisableKeepAlives: true}
	return &client{name: name, deployment: d, devices: v, http: &http.Client{Transport: transport, Timeout: patience}}
}

// make makes a call, and makes it again if it is to be while nothing is known of it. A repetition is a call of its own.
func (c *client) make(what call) {
	for range tries {
		d := c.anywhere(what)
		if !what.again || d.verb == look || d.outcome == acknowledged || d.outcome == refused {
			return
		}
		time.Sleep(tryPause)
	}
}

// anywhere makes a call to the server that it names, and to the next if nobody listens there, as behind a balancer.
func (c *client) anywhere(what call) *done {
	var d *done
	for i := range servers {
		d = c.at((what.server+i)%servers, what)
		if d.outcome != unreached {
			break
		}
	}
	return d
}

// at makes a call to a server.
func (c *client) at(server int, what call) *done {
	d := &done{call: what, process: c.deployment.process(server)}
	j := c.deployment.journal
	d.began = j.now()
	if d.verb == look {
		c.look(d)
	} else {
		c.write(server, d)
	}
	d.ended = j.now()
	j.add(&entry{
		began: d.began, ended: d.ended, who: c.name, what: fmt.Sprintf("→ %d  %v", server, &d.call), answer: d.String(), call: d,
	})
	return d
}

// write makes a registration or a deletion and notes how it ended.
func (c *client) write(server int, d *done) {
	body := map[string]any{"number": number(d.number)}
	method := http.MethodPut
	switch d.verb {
	case register:
		body["label"] = d.label
	case hide:
		body["discoverable"] = false
	case remove:
		method = http.MethodDelete
	case removeIf:
		method, body["label"] = http.MethodDelete, d.label
	}
	if d.version != 0 {
		body["version"] = d.version
	}
	token, err := c.deployment.token(server, "register")
	if err != nil {
		d.outcome, d.detail = unreached, "no token"
		return
	}
	select {
	case c.deployment.sent[server] <- struct{}{}:
	default:
	}
	a, err := d.process.send(c.http, method, d.process.url+"/v1/registrations", token, body)
	switch {
	case err != nil:
		d.outcome, d.detail = errorOutcome(err)
	case a.status == http.StatusNoContent:
		d.outcome, d.applied = acknowledged, a.header.Get("Kith-Applied") == "true"
	case a.status == http.StatusPreconditionFailed && d.verb == removeIf:
		d.outcome = refused
	default:
		d.outcome, d.detail = failed, a.String()
		c.expect(d, a, http.StatusServiceUnavailable)
	}
}

// expect notes an answer whose status should not have come.
func (c *client) expect(d *done, a answer, status int) {
	if a.status != status {
		c.deployment.journal.fault("%s: %v was answered %v at %.3fs", c.name, &d.call, a, d.began.Seconds())
	}
}

// answer is what a server answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// String returns the status and the code of a problem.
func (a answer) String() string {
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.body, &problem) // without a code the status says enough
	return strings.TrimSpace(fmt.Sprint(a.status, " ", problem.Code))
}

// errGone is what nobody listening looks like.
var errGone = &net.OpError{Op: "dial", Err: errors.New("the process has ended")}

// send makes a request to a process as send does. One that has ended is not asked: another process, of another history
// too, may have its port by now.
func (p *process) send(client *http.Client, method, url, token string, body any) (answer, error) {
	select {
	case <-p.dead:
		return answer{}, errGone
	default:
		return send(client, method, url, token, body)
	}
}

// send makes a request with a JSON body, if it is not nil.
func send(client *http.Client, method, url, token string, body any) (answer, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequest(method, url, content)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, data}, err
}

// errorOutcome tells a server that nobody listens at from one that did not answer.
func errorOutcome(err error) (outcome, string) {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial" && !op.Timeout():
		return unreached, ""
	case errors.Is(err, context.DeadlineExceeded):
		return unanswered, "gave up"
	default:
		return unanswered, "connection lost"
	}
}
