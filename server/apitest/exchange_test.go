package apitest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// small is a document with one of everything that Check looks at.
const small = `
openapi: 3.1.0
info: {title: Small, version: '1'}
servers: [{url: https://one.example}]
paths:
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
    get:
      security: []
      parameters:
        - {name: brief, in: query, schema: {type: boolean}}
        - {name: If-Match, in: header, schema: {type: string, maxLength: 4}}
      responses:
        '200':
          description: A thing.
          headers:
            Kith-Count: {required: true, schema: {type: integer, minimum: 1}}
            Vary: {schema: {type: string}}
          content:
            application/json: {schema: {$ref: '#/components/schemas/Thing'}}
        '503': {$ref: '#/components/responses/Away'}
    post:
      servers: [{url: https://one.example}]
      security: [{token: [things]}]
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Question'}}
          application/octet-stream: {schema: {}, x-packed: {value: 4}}
          application/x-ndjson: {schema: {$ref: '#/components/schemas/Question'}}
      responses:
        '200':
          description: Values.
          content:
            application/octet-stream: {schema: {}, x-packed: {value: 4, last: 2}}
            application/x-ndjson: {schema: {$ref: '#/components/schemas/Result'}}
        '204': {description: Nothing.}
        '400': {$ref: '#/components/responses/Bad'}
  /other:
    servers: [{url: https://two.example}]
    post:
      security: []
      requestBody:
        content:
          application/json: {schema: {$ref: '#/components/schemas/Question'}}
      responses:
        '204': {description: Nothing.}
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
  responses:
    Bad:
      description: Malformed.
      content: {application/problem+json: {schema: {oneOf: [{$ref: '#/components/schemas/problem-malformed'}, {$ref: '#/components/schemas/problem-unsupported-media-type'}]}}}
    Away:
      description: Away.
      content: {application/problem+json: {schema: {$ref: '#/components/schemas/problem-away'}}}
    NotFound:
      description: No route.
      content: {application/problem+json: {schema: {$ref: '#/components/schemas/problem-not-found'}}}
    MethodNotAllowed:
      description: No method.
      headers: {Allow: {required: true, schema: {type: string}}}
      content: {application/problem+json: {schema: {$ref: '#/components/schemas/problem-method-not-allowed'}}}
  schemas:
    Thing:
      type: object
      required: [name]
      properties:
        name: {type: string}
        parts: {type: array, items: {type: object, properties: {size: {type: integer}}}}
      examples: [{name: a}]
    Result:
      type: object
      required: [line]
      properties: {line: {type: integer}, applied: {type: boolean}}
      examples: [{line: 1, applied: true}]
    Question:
      type: object
      required: [words]
      additionalProperties: false
      properties: {words: {type: array, minItems: 1, items: {type: string}}}
      examples: [{words: [a]}]
    Problem:
      type: object
      required: [code, status, title]
      properties: {code: {type: string}, status: {type: integer}, title: {type: string}, detail: {type: string}, type: {type: string}, reason: {type: string}}
    problem-malformed:
      allOf: [{$ref: '#/components/schemas/Problem'}, {properties: {code: {enum: [malformed]}, status: {enum: [400]}}}]
      examples: [{code: malformed, status: 400, title: Bad.}]
    problem-unsupported-media-type:
      allOf: [{$ref: '#/components/schemas/Problem'}, {properties: {code: {enum: [unsupported-media-type]}}}]
      examples: [{code: unsupported-media-type, status: 400, title: Bad.}]
    problem-away:
      allOf: [{$ref: '#/components/schemas/Problem'}, {properties: {code: {enum: [away]}}}]
      examples: [{code: away, status: 503, title: Away., type: "https://one.example/away", reason: gone, detail: Later.}]
    problem-not-found:
      allOf: [{$ref: '#/components/schemas/Problem'}, {properties: {code: {enum: [not-found]}}}]
      examples: [{code: not-found, status: 404, title: No route.}]
    problem-method-not-allowed:
      allOf: [{$ref: '#/components/schemas/Problem'}, {properties: {code: {enum: [method-not-allowed]}}}]
      examples: [{code: method-not-allowed, status: 405, title: No method.}]
`

func smallDocument(t *testing.T) *Document {
	t.Helper()
	d, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// headers returns headers of names and values.
func headers(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

const (
	getThing    = "GET /things/1"
	postThing   = "POST /things/1"
	question    = `{"words":["a"]}`
	typeJSON    = "application/json"
	typePacked  = "application/octet-stream"
	typeLines   = "application/x-ndjson"
	typeProblem = "application/problem+json"
)

// problemText returns a problem in JSON.
func problemText(status, code, more string) string {
	return `{"title":"t","status":` + status + `,"code":"` + code + `"` + more + `}`
}

func TestCheck(t *testing.T) {
	thing := headers("Content-Type", typeJSON, "Kith-Count", "3")
	token := func(mediaType string) http.Header {
		return headers("Content-Type", mediaType, "Authorization", "Bearer x")
	}
	problem := headers("Content-Type", typeProblem)
	packed, lines := headers("Content-Type", typePacked), headers("Content-Type", typeLines)
	none := headers()
	allow := func(methods ...string) http.Header {
		return headers("Content-Type", typeProblem, "Allow", strings.Join(methods, ", "))
	}
	notAllowed := problemText("405", "method-not-allowed", "")
	malformed := problemText("400", "malformed", "")
	tests := []struct {
		name     string
		route    string
		request  http.Header
		body     string
		status   int
		response http.Header
		answer   string
		want     string // a part of the error, or "" for none
	}{
		{"as documented", getThing, none, "", 200, thing, `{"name":"a"}`, ""},
		{"with parts", getThing, none, "", 200, thing, `{"name":"a","parts":[{"size":1},{}]}`, ""},
		{"headers of all answers", getThing, none, "", 200, headers("Content-Type", typeJSON, "Kith-Count", "3", "Date", "x", "Content-Length", "1"), `{"name":"a"}`, ""},
		{"a list in two lines", getThing, none, "", 200, headers("Content-Type", typeJSON, "Kith-Count", "3", "Vary", "a", "Vary", "b"), `{"name":"a"}`, ""},
		{"a header in two lines", getThing, none, "", 200, headers("Content-Type", typeJSON, "Kith-Count", "3", "Kith-Count", "4"), `{"name":"a"}`, "Kith-Count"},
		{"HEAD", "HEAD /things/1", none, "", 200, thing, "", ""},
		{"HEAD with a body", "HEAD /things/1", none, "", 200, thing, "x", "there is a body"},
		{"parameters", "GET /things/1?brief=true", headers("If-Match", "abcd"), "", 200, thing, `{"name":"a"}`, ""},
		{"a status that is not there", getThing, none, "", 201, thing, `{"name":"a"}`, "no such status"},
		{"a header missing", getThing, none, "", 200, headers("Content-Type", typeJSON), `{"name":"a"}`, "Kith-Count is missing"},
		{"a header of a wrong type", getThing, none, "", 200, headers("Content-Type", typeJSON, "Kith-Count", "x"), `{"name":"a"}`, "Kith-Count"},
		{"a header out of range", getThing, none, "", 200, headers("Content-Type", typeJSON, "Kith-Count", "0"), `{"name":"a"}`, "Kith-Count"},
		{"a header too many", getThing, none, "", 200, headers("Content-Type", typeJSON, "Kith-Count", "3", "Server", "x"), `{"name":"a"}`, "the header Server is not in the document"},
		{"another media type", getThing, none, "", 200, headers("Content-Type", "text/plain", "Kith-Count", "3"), `{"name":"a"}`, "media type"},
		{"a member missing", getThing, none, "", 200, thing, `{}`, "name"},
		{"a member too many", getThing, none, "", 200, thing, `{"name":"a","nom":"b"}`, "/nom is not in the document"},
		{"one too many below", getThing, none, "", 200, thing, `{"name":"a","parts":[{"size":1,"age":2}]}`, "/parts/*/age is not in the document"},
		{"a wrong type", getThing, none, "", 200, thing, `{"name":1}`, "/name"},
		{"not JSON", getThing, none, "", 200, thing, `{`, "JSON"},
		{"a problem", getThing, none, "", 503, problem, problemText("503", "away", ""), ""},
		{"another problem", getThing, none, "", 503, problem, problemText("503", "broken", ""), "/code"},
		{"a problem with a member too many", getThing, none, "", 503, problem, problemText("503", "away", `,"cause":"x"`), "/cause is not in the document"},
		{"a problem of another type", getThing, none, "", 503, headers("Content-Type", typeJSON), problemText("503", "away", ""), "media type"},

		{"a path parameter that is not allowed", "GET /things/0", none, "", 200, thing, `{"name":"a"}`, "was taken"},
		{"one that is no number", "GET /things/x", none, "", 200, thing, `{"name":"a"}`, "was taken"},
		{"the same refused", "GET /things/x", none, "", 503, problem, problemText("503", "away", ""), ""},
		{"a query that is not allowed", "GET /things/1?brief=1", none, "", 200, thing, `{"name":"a"}`, "was taken"},
		{"a header that is not allowed", getThing, headers("If-Match", "abcde"), "", 200, thing, `{"name":"a"}`, "was taken"},

		{"JSON", postThing, token(typeJSON), question, 204, none, "", ""},
		{"packed", postThing, token(typePacked), "12345678", 200, packed, "1234567890", ""},
		{"no token", postThing, headers("Content-Type", typeJSON), question, 204, none, "", "no bearer token"},
		{"no body", postThing, token(typeJSON), "", 204, none, "", "no body"},
		{"a body of another type", postThing, token("text/plain"), question, 204, none, "", "media type of the request"},
		{"a member that is not allowed", postThing, token(typeJSON), `{"words":["a"],"x":1}`, 204, none, "", "was taken"},
		{"an empty list", postThing, token(typeJSON), `{"words":[]}`, 204, none, "", "was taken"},
		{"a packed body cut off", postThing, token(typePacked), "1234567", 200, packed, "1234567890", "was taken"},
		{"a packed answer cut off", postThing, token(typePacked), "12345678", 200, packed, "12345678", "2 bytes after them"},
		{"a packed answer too short", postThing, token(typePacked), "12345678", 200, packed, "1", "2 bytes after them"},
		{"a body where there is none", postThing, token(typeJSON), question, 204, none, "x", "there is a body"},
		{"lines", postThing, token(typeLines), question + "\nx\n" + question, 200, lines, `{"line":1,"applied":true}` + "\n" + `{"line":2}` + "\n" + `{"line":3,"applied":false}`, ""},
		{"a line that is not allowed", postThing, token(typeLines), question + "\n{}", 200, lines, `{"line":2,"applied":true}`, "was taken"},
		{"a line that is none", postThing, token(typeLines), question, 200, lines, `{"line":2,"applied":true}`, "a line 2 was answered of 1"},
		{"a line of the answer that is wrong", postThing, token(typeLines), question, 200, lines, `{"line":1}` + "\n{}", "line"},
		{"a line of the answer with a member too many", postThing, token(typeLines), question, 200, lines, `{"line":1,"code":"x"}`, "/code is not in the document"},
		{"refused rightly", postThing, token(typeJSON), `{}`, 400, problem, malformed, ""},
		{"refused wrongly", postThing, token(typeJSON), question, 400, problem, malformed, "was refused that is allowed"},
		{"refused in words", postThing, token(typeJSON), question, 400, problem, problemText("400", "malformed", `,"detail":"The JSON object has a member twice."`), ""},
		{"media type refused rightly", postThing, token("text/plain"), question, 400, problem, problemText("400", "unsupported-media-type", ""), ""},
		{"media type refused wrongly", postThing, token(typeJSON), question, 400, problem, problemText("400", "unsupported-media-type", ""), "media type was refused that is allowed"},
		{"an encoding refused", postThing, headers("Content-Type", typeJSON, "Authorization", "Bearer x", "Content-Encoding", "gzip"), question, 400, problem, problemText("400", "unsupported-media-type", ""), ""},
		{"a body left out", "POST /other", none, "", 204, none, "", ""},
		{"a body that may be left out", "POST /other", headers("Content-Type", typeJSON), `[]`, 204, none, "", "was taken"},

		{"no route", "GET /thing", none, "", 404, problem, problemText("404", "not-found", ""), ""},
		{"no route at this listener", getThing, none, "", 404, problem, problemText("404", "not-found", ""), ""},
		{"no route by HEAD", "HEAD /thing", none, "", 404, problem, "", ""},
		{"a route that is not there", "GET /thing", none, "", 200, thing, `{"name":"a"}`, "no such path"},
		{"no route, another code", "GET /thing", none, "", 404, problem, problemText("404", "away", ""), "/code"},
		{"no method", "PUT /things/1", none, "", 405, allow("OPTIONS", "GET", "HEAD", "POST"), notAllowed, ""},
		{"no method of any name", "SECRETWORD /other", none, "", 405, allow("POST", "OPTIONS"), notAllowed, ""},
		{"no method, one missing", "PUT /things/1", none, "", 405, allow("OPTIONS", "GET", "HEAD"), notAllowed, "of POST"},
		{"no method, one too many", "PUT /things/1", none, "", 405, allow("OPTIONS", "GET", "HEAD", "POST", "PUT"), notAllowed, "other methods"},
		{"a method that is not there", "PUT /things/1", none, "", 204, allow("OPTIONS", "GET", "HEAD", "POST"), "", "no such method"},
		{"OPTIONS", "OPTIONS /other", none, "", 204, headers("Allow", "OPTIONS, POST"), "", ""},
		{"OPTIONS with another status", "OPTIONS /other", none, "", 200, headers("Allow", "OPTIONS, POST"), "", "another status"},
	}
	d := smallDocument(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method, target, _ := strings.Cut(test.route, " ")
			err := d.Check(Exchange{method, target, test.request, []byte(test.body), test.status, test.response, []byte(test.answer)})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"not YAML", "openapi: 3.1.0", "openapi: [", "yaml"},
		{"not a document", "responses:\n        '204': {description: Nothing.}\ncomp", "responses: {}\ncomp", "responses"},
		{"a reference to nothing", "schemas/Thing'", "schemas/Thng'", "Thng"},
		{"an example that is wrong", "examples: [{name: a}]", "examples: [{name: 1}]", "example 0"},
		{"an example with a member too many", "examples: [{name: a}]", "examples: [{name: a, nom: b}]", "/nom is not in the document"},
		{"a keyword that is not looked at", "name: {type: string}", "name: {const: a}", "const"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(small, test.old, test.new, 1)
			if text == small {
				t.Fatal("the document is as it was")
			}
			if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := Read("no-such-file.yaml"); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestRoutes(t *testing.T) {
	d := smallDocument(t)
	for server, want := range map[string][]string{
		"https://one.example": {"GET /things/{id}", "POST /things/{id}"},
		"https://two.example": {"POST /other"},
		"https://three.test":  nil,
	} {
		if got := d.Routes(server); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", server, got, want)
		}
	}
	if got := d.Examples(); len(got) != 2 || len(got["POST /other"]) != 1 {
		t.Errorf("got examples %v, want one for each of two operations", got)
	}
}

func TestProblems(t *testing.T) {
	problems, err := smallDocument(t).Problems()
	want := []Problem{
		{Code: "away", Title: "Away.", Type: "https://one.example/away", Status: 503, Members: "detail reason"},
		{Code: "malformed", Title: "Bad.", Status: 400},
		{Code: "method-not-allowed", Title: "No method.", Status: 405},
		{Code: "not-found", Title: "No route.", Status: 404},
		{Code: "unsupported-media-type", Title: "Bad.", Status: 400},
	}
	if err != nil || !slices.Equal(problems, want) {
		t.Errorf("got %v, %v, want %v", problems, err, want)
	}
	unused, err := Parse([]byte(strings.Replace(small, "schemas/problem-away'", "schemas/problem-malformed'", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unused.Problems(); err == nil || !strings.Contains(err.Error(), "problem-away") {
		t.Errorf("a problem that no answer has: got %v", err)
	}
}
