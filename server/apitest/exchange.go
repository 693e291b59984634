package apitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// The answers of the document that belong to no operation.
const (
	notFound         = "NotFound"
	methodNotAllowed = "MethodNotAllowed"
)

// Exchange is a request and its answer.
type Exchange struct {
	Method       string
	Target       string // path and query
	Request      http.Header
	RequestBody  []byte
	Status       int
	Response     http.Header
	ResponseBody []byte
}

// inWords are the details of problems by which a server refuses requests that the schemas allow, and of which the
// description of the problem or of the parameter says it.
var inWords = []string{
	"The JSON object has a member twice.",
	"The body is not UTF-8, or escapes half of a surrogate pair.",
	"The body ended early.",
	"A prefix is not below 2^bucket_bits.",
	"A prefix is asked for twice.", // in a packed body
	"The parameter since is not a position of this feed.",
}

// Check returns all that is not as documented, or nil. Routes that the document has may also answer that there is no such
// route, since not every listener has all.
func (d *Document) Check(e Exchange) error {
	requested, query, _ := strings.Cut(e.Target, "?")
	item, values := d.find(requested)
	problem := problemOf(e)
	if item == nil || problem.Code == "not-found" || e.Method == http.MethodHead && e.Status == http.StatusNotFound {
		if e.Status != http.StatusNotFound {
			return d.wrap(e, errors.New("the document has no such path"))
		}
		return d.wrap(e, d.checkResponse(e, d.doc.Components.Responses[notFound].Value))
	}
	operation := item.GetOperation(documentedMethod(e.Method))
	if operation == nil {
		return d.wrap(e, d.checkOther(e, item))
	}
	response := operation.Responses.Status(e.Status)
	if response == nil {
		return d.wrap(e, errors.New("the operation has no such status"))
	}
	r := request{d, e, item, operation, values, query}
	return d.wrap(e, errors.Join(d.checkResponse(e, response.Value), judge(e, problem, r.check())))
}

// wrap says which exchange an error is about.
func (d *Document) wrap(e Exchange, err error) error {
	if err == nil {
		return nil
	}
	request := e.Request.Clone()
	if request.Get("Authorization") != "" {
		request.Set("Authorization", "(left out)") // it is long, and no reason
	}
	return fmt.Errorf("%s %s answered %d, not as documented: %w\nrequest: %v %.300q\nanswer: %v %.300q", e.Method, e.Target, e.Status, err,
		request, e.RequestBody, e.Response, e.ResponseBody)
}

// documentedMethod returns the method by whose operation a request is described.
func documentedMethod(method string) string {
	switch method {
	case http.MethodHead:
		return http.MethodGet
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
		return method
	default:
		return http.MethodTrace // which no path has
	}
}

// judge compares what the document says of a request with what the server has done.
func judge(e Exchange, problem problemBody, invalid error) error {
	switch {
	case invalid != nil && e.Status < http.StatusBadRequest:
		return fmt.Errorf("a request was taken that is not allowed: %w", invalid)
	case invalid == nil && problem.Code == "malformed" && !slices.Contains(inWords, problem.Detail):
		return errors.New("a request was refused that is allowed")
	case invalid == nil && problem.Code == "unsupported-media-type" && e.Request.Get("Content-Encoding") == "":
		return errors.New("a media type was refused that is allowed")
	default:
		return nil
	}
}

// checkOther checks an answer to a method that a path does not have.
func (d *Document) checkOther(e Exchange, item *openapi3.PathItem) error {
	given := make(map[string]bool)
	for method := range strings.SplitSeq(e.Response.Get("Allow"), ",") {
		given[strings.TrimSpace(method)] = true
	}
	for method, is := range allowed(item) {
		if given[method] != is {
			return fmt.Errorf("the header Allow is %q, of %s the document says %t", e.Response.Get("Allow"), method, is)
		}
		delete(given, method)
	}
	if len(given) > 0 {
		return fmt.Errorf("the header Allow has other methods: %v", given)
	}
	if e.Method == http.MethodOptions {
		if e.Status != http.StatusNoContent {
			return errors.New("OPTIONS has another status than 204")
		}
		return nil
	}
	if e.Status != http.StatusMethodNotAllowed {
		return errors.New("the document has no such method there")
	}
	return d.checkResponse(e, d.doc.Components.Responses[methodNotAllowed].Value)
}

// problemBody is what is looked at in a problem.
type problemBody struct{ Code, Detail string }

func problemOf(e Exchange) problemBody {
	var p problemBody
	if e.Status >= http.StatusBadRequest {
		_ = json.Unmarshal(e.ResponseBody, &p) // what is not JSON is no problem, and is found by checkResponse
	}
	return p
}

// general are the headers that any answer may have.
var general = []string{"Connection", "Content-Length", "Content-Type", "Date", "Transfer-Encoding"}

// checkResponse checks the headers and the body of an answer.
func (d *Document) checkResponse(e Exchange, response *openapi3.Response) error {
	var errs []error
	for name, header := range response.Headers {
		errs = append(errs, checkHeader(name, header.Value, e.Response.Values(name)))
	}
	for name := range e.Response {
		if !slices.Contains(general, name) && !declared(response.Headers, name) {
			errs = append(errs, fmt.Errorf("the header %s is not in the document", name))
		}
	}
	return errors.Join(append(errs, checkContent(e, response.Content))...)
}

func declared(headers openapi3.Headers, name string) bool {
	for given := range headers {
		if http.CanonicalHeaderKey(given) == name {
			return true
		}
	}
	return false
}

func checkHeader(name string, header *openapi3.Header, values []string) error {
	if len(values) == 0 {
		if header.Required {
			return fmt.Errorf("the header %s is missing", name)
		}
		return nil
	}
	// Several lines are one list: RFC 9110, Section 5.3.
	if err := checkText(header.Schema, strings.Join(values, ", ")); err != nil {
		return fmt.Errorf("the header %s: %w", name, err)
	}
	return nil
}

// checkContent checks the body of an answer.
func checkContent(e Exchange, content openapi3.Content) error {
	if e.Method == http.MethodHead || len(content) == 0 {
		if len(e.ResponseBody) > 0 {
			return errors.New("there is a body, and the document has none")
		}
		return nil
	}
	media, mediaType := mediaOf(content, e.Response.Get("Content-Type"))
	if media == nil {
		return fmt.Errorf("the media type %q is not in the document", e.Response.Get("Content-Type"))
	}
	return checkBody(media, mediaType, e.ResponseBody)
}

// mediaOf returns what a content says of a media type, or nil.
func mediaOf(content openapi3.Content, contentType string) (*openapi3.MediaType, string) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, ""
	}
	return content[mediaType], mediaType
}

// request is a request with the operation that describes it.
type request struct {
	*Document
	Exchange
	item      *openapi3.PathItem
	operation *openapi3.Operation
	path      map[string]string // parameters in the path
	query     string
}

// check returns why the document does not allow the request, or nil.
func (r request) check() error {
	errs := []error{r.checkCredential(), r.checkRequestBody()}
	for _, p := range append(slices.Clone(r.item.Parameters), r.operation.Parameters...) {
		errs = append(errs, r.checkParameter(p.Value))
	}
	return errors.Join(errs...)
}

func (r request) checkCredential() error {
	for _, requirement := range *r.operation.Security {
		for range requirement {
			if scheme, _, _ := strings.Cut(r.Request.Get("Authorization"), " "); !strings.EqualFold(scheme, "Bearer") {
				return errors.New("there is no bearer token")
			}
		}
	}
	return nil
}

func (r request) checkRequestBody() error {
	if r.operation.RequestBody == nil {
		return nil
	}
	body := r.operation.RequestBody.Value
	if len(r.RequestBody) == 0 && !body.Required {
		return nil
	}
	media, mediaType := mediaOf(body.Content, r.Request.Get("Content-Type"))
	if media == nil {
		return errors.New("the media type of the request is not in the document")
	}
	if len(r.RequestBody) == 0 {
		return errors.New("there is no body")
	}
	if mediaType == mimeLines {
		return checkLines(media, r.RequestBody, r.ResponseBody)
	}
	return checkBody(media, mediaType, r.RequestBody)
}
