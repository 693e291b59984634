package apitest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// problemPrefix is what the names of the schemas of problems begin with; the code follows.
const problemPrefix = "problem-"

// Document is an API document. It may be used by many goroutines.
type Document struct {
	doc   *openapi3.T
	paths []path
}

// path is a path of the document by its segments, of which those in braces stand for any one.
type path struct {
	segments []string
	item     *openapi3.PathItem
}

// Read reads a document. It returns an error if that is not valid, if an example in it is not what its schema says, or if it
// has a keyword that Check would not look at.
func Read(file string) (*Document, error) {
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse is Read for a text, in YAML or JSON.
func Parse(text []byte) (*Document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background(), openapi3.EnableMultiError()); err != nil {
		return nil, err
	}
	if err := checkSchemas(doc); err != nil {
		return nil, err
	}
	d := &Document{doc: doc}
	for _, name := range doc.Paths.InMatchingOrder() {
		d.paths = append(d.paths, path{strings.Split(name, "/"), doc.Paths.Value(name)})
	}
	return d, nil
}

// checkSchemas checks the examples of all schemas, and that they have no keywords that are passed over.
func checkSchemas(doc *openapi3.T) error {
	var errs []error
	err := doc.WalkSchemas(func(at string, ref *openapi3.SchemaRef) error {
		if keyword := unchecked(ref.Value); keyword != "" {
			errs = append(errs, fmt.Errorf("%s: the keyword %s is not checked", at, keyword))
		}
		for i, example := range ref.Value.Examples {
			if err := checkValue(ref, example); err != nil {
				errs = append(errs, fmt.Errorf("%s, example %d: %w", at, i, err))
			}
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// unchecked returns a keyword of JSON Schema 2020-12 that the other validator does not look at, or "".
func unchecked(s *openapi3.Schema) string {
	for keyword, used := range map[string]bool{
		"const": s.Const != nil, "prefixItems": s.PrefixItems != nil, "contains": s.Contains != nil,
		"minContains": s.MinContains != nil, "maxContains": s.MaxContains != nil,
		"patternProperties": s.PatternProperties != nil, "dependentSchemas": s.DependentSchemas != nil,
		"dependentRequired": s.DependentRequired != nil, "propertyNames": s.PropertyNames != nil,
		"unevaluatedItems":      s.UnevaluatedItems.Has != nil || s.UnevaluatedItems.Schema != nil,
		"unevaluatedProperties": s.UnevaluatedProperties.Has != nil || s.UnevaluatedProperties.Schema != nil,
		"if":                    s.If != nil, "then": s.Then != nil, "else": s.Else != nil, "contentSchema": s.ContentSchema != nil,
	} {
		if used {
			return keyword
		}
	}
	return ""
}

// Routes returns the routes of a server, which is given by its URL, such as "GET /v1/epochs/{epoch}/snapshot", sorted.
func (d *Document) Routes(server string) []string {
	var routes []string
	for name, item := range d.doc.Paths.Map() {
		servers := item.Servers
		if len(servers) == 0 {
			servers = d.doc.Servers
		}
		if !slices.ContainsFunc(servers, func(s *openapi3.Server) bool { return s.URL == server }) {
			continue
		}
		for method := range item.Operations() {
			routes = append(routes, method+" "+name)
		}
	}
	slices.Sort(routes)
	return routes
}

// Problem is what the document says of a type of problem.
type Problem struct {
	Code, Title string
	Type        string // an address
	Status      int
	Members     string // beside those that every problem has, in order, with spaces between
}

// Problems returns the types of problems, by code, from the examples of their schemas. It returns an error for one that no
// answer has.
func (d *Document) Problems() ([]Problem, error) {
	answers := d.answers()
	var problems []Problem
	var errs []error
	for name, ref := range d.doc.Components.Schemas {
		code, is := strings.CutPrefix(name, problemPrefix)
		if !is {
			continue
		}
		example, _ := ref.Value.Examples[0].(map[string]any)
		title, _ := example["title"].(string)
		if example["code"] != code {
			errs = append(errs, fmt.Errorf("the example of %s has the code %v", name, example["code"]))
		}
		status, err := asInt(example["status"])
		errs = append(errs, err)
		uri, _ := example["type"].(string)
		problems = append(problems, Problem{code, title, uri, status, ownMembers(example)})
		if !answers[name] {
			errs = append(errs, fmt.Errorf("no answer has the schema %s", name))
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Code, b.Code) })
	return problems, errors.Join(errs...)
}

// ownMembers returns the members of a problem that not every problem has.
func ownMembers(problem map[string]any) string {
	var own []string
	for name := range problem {
		if !slices.Contains([]string{"type", "title", "status", "code"}, name) {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return strings.Join(own, " ")
}

// answers returns the names of the schemas that answers to requests have.
func (d *Document) answers() map[string]bool {
	names := make(map[string]bool)
	note := func(r *openapi3.Response) {
		for _, media := range r.Content {
			for _, ref := range append(openapi3.SchemaRefs{media.Schema}, media.Schema.Value.OneOf...) {
				if name, ok := strings.CutPrefix(ref.Ref, "#/components/schemas/"); ok {
					names[name] = true
				}
			}
		}
	}
	for _, p := range d.paths {
		for _, operation := range p.item.Operations() {
			for _, r := range operation.Responses.Map() {
				note(r.Value)
			}
		}
	}
	for _, name := range []string{notFound, methodNotAllowed} {
		note(d.doc.Components.Responses[name].Value)
	}
	return names
}

// Examples returns for each operation with a body in JSON the examples of that body, by method and path.
func (d *Document) Examples() map[string][]any {
	examples := make(map[string][]any)
	for name, item := range d.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.RequestBody == nil {
				continue
			}
			if media := operation.RequestBody.Value.Content["application/json"]; media != nil {
				examples[method+" "+name] = media.Schema.Value.Examples
			}
		}
	}
	return examples
}

// find returns the path item that a path belongs to, with the values of its parameters, or nil.
func (d *Document) find(requested string) (*openapi3.PathItem, map[string]string) {
	given := strings.Split(requested, "/")
	for _, p := range d.paths {
		if values, ok := match(p.segments, given); ok {
			return p.item, values
		}
	}
	return nil, nil
}

func match(segments, given []string) (map[string]string, bool) {
	if len(segments) != len(given) {
		return nil, false
	}
	values := make(map[string]string)
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			values[strings.TrimSuffix(name, "}")] = given[i]
		} else if segment != given[i] {
			return nil, false
		}
	}
	return values, true
}

// allowed returns the methods of a path as a set: those of the document, HEAD with GET, and OPTIONS.
func allowed(item *openapi3.PathItem) map[string]bool {
	methods := map[string]bool{http.MethodOptions: true}
	for method := range item.Operations() {
		methods[method] = true
	}
	methods[http.MethodHead] = methods[http.MethodGet]
	return methods
}
