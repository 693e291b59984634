package apitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	mimeJSON    = "application/json"
	mimeProblem = "application/problem+json"
	mimeLines   = "application/x-ndjson"
)

// checkParameter checks one parameter of a request.
func (r request) checkParameter(p *openapi3.Parameter) error {
	var text string
	var given bool
	switch p.In {
	case openapi3.ParameterInPath:
		text, given = r.path[p.Name]
	case openapi3.ParameterInQuery:
		query, err := url.ParseQuery(r.query)
		if err != nil {
			return err
		}
		text, given = query.Get(p.Name), query.Has(p.Name)
	case openapi3.ParameterInHeader:
		values := r.Request.Values(p.Name)
		if given = len(values) > 0; given {
			text = values[0]
		}
	default:
		return fmt.Errorf("parameters in %s are not checked", p.In)
	}
	switch {
	case !given && p.Required:
		return fmt.Errorf("the parameter %s is missing", p.Name)
	case !given:
		return nil
	}
	if err := checkText(p.Schema, text); err != nil {
		return fmt.Errorf("the parameter %s: %w", p.Name, err)
	}
	return nil
}

// checkText checks a value that is written as plain text, in a path, a query or a header.
func checkText(schema *openapi3.SchemaRef, text string) error {
	var value any = text
	var err error
	switch types := schema.Value.Type; {
	case types.Is(openapi3.TypeInteger):
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		value = float64(n)
	case types.Is(openapi3.TypeBoolean):
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		value = text == "true"
	}
	if err != nil {
		return err
	}
	return checkValue(schema, value)
}

// checkBody checks a body of a media type. Of one of lines the schema is that of each line; see checkLines for those of requests.
func checkBody(media *openapi3.MediaType, mediaType string, body []byte) error {
	if mediaType == mimeLines {
		var errs []error
		for line := range bytes.Lines(body) {
			errs = append(errs, checkLine(media, line))
		}
		return errors.Join(errs...)
	}
	if mediaType == mimeJSON || mediaType == mimeProblem {
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			return err
		}
		return checkValue(media.Schema, value)
	}
	return checkPacked(media, len(body))
}

func checkLine(media *openapi3.MediaType, line []byte) error {
	var value any
	if err := json.Unmarshal(line, &value); err != nil {
		return err
	}
	return checkValue(media.Schema, value)
}

// checkLines checks the lines of a request that were taken, as the lines of the answer say. One that is not as its schema has it is
// refused by itself, and the request is none the worse for it.
func checkLines(media *openapi3.MediaType, body, answer []byte) error {
	lines := bytes.Split(body, []byte("\n"))
	var errs []error
	for text := range bytes.Lines(answer) {
		var result struct {
			Line    int
			Applied *bool
		}
		if err := json.Unmarshal(text, &result); err != nil || result.Applied == nil {
			continue
		}
		if result.Line < 1 || result.Line > len(lines) {
			return fmt.Errorf("a line %d was answered of %d", result.Line, len(lines))
		}
		errs = append(errs, checkLine(media, lines[result.Line-1]))
	}
	return errors.Join(errs...)
}

// checkPacked checks the length of a packed body: so many bytes a value, and so many after the last one.
func checkPacked(media *openapi3.MediaType, length int) error {
	packed, ok := media.Extensions["x-packed"].(map[string]any)
	if !ok {
		return nil
	}
	size, err := asInt(packed["value"])
	if err != nil || size < 1 {
		return fmt.Errorf("x-packed has value %v: %w", packed["value"], err)
	}
	last := 0
	if packed["last"] != nil {
		if last, err = asInt(packed["last"]); err != nil {
			return err
		}
	}
	if length < last || (length-last)%size != 0 {
		return fmt.Errorf("%d bytes are not values of %d bytes and %d bytes after them", length, size, last)
	}
	return nil
}

// asInt returns a whole number of a document.
func asInt(v any) (int, error) {
	switch n := v.(type) {
	case int:
		return n, nil
	case uint64:
		return int(n), nil
	case float64:
		return int(n), nil
	default:
		return 0, fmt.Errorf("%v is not a number", v)
	}
}

// checkValue checks a value by its schema, and that it has no members that are not in the document: those are for later
// versions, of which this document is none.
func checkValue(schema *openapi3.SchemaRef, value any) error {
	short := openapi3.SetSchemaErrorMessageCustomizer(func(e *openapi3.SchemaError) string {
		text := fmt.Sprintf("/%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
		if e.Origin != nil {
			text += ": " + e.Origin.Error()
		}
		return text
	})
	return errors.Join(schema.Value.VisitJSON(value, short), undeclared(schema.Value, value, ""))
}

// undeclared returns an error for members that no schema names.
func undeclared(schema *openapi3.Schema, value any, at string) error {
	var errs []error
	switch v := value.(type) {
	case map[string]any:
		if has := schema.AdditionalProperties.Has; has != nil && *has {
			return nil
		}
		properties := propertiesOf(schema)
		for name, member := range v {
			if properties[name] == nil {
				errs = append(errs, fmt.Errorf("the member %s/%s is not in the document", at, name))
				continue
			}
			errs = append(errs, undeclared(properties[name], member, at+"/"+name))
		}
	case []any:
		if schema.Items == nil {
			return nil
		}
		for _, item := range v {
			errs = append(errs, undeclared(schema.Items.Value, item, at+"/*"))
		}
	}
	return errors.Join(errs...)
}

// propertiesOf returns the properties of a schema and of those that it is composed of.
func propertiesOf(schema *openapi3.Schema) map[string]*openapi3.Schema {
	properties := make(map[string]*openapi3.Schema)
	for _, refs := range []openapi3.SchemaRefs{schema.AllOf, schema.OneOf, schema.AnyOf} {
		for _, ref := range refs {
			for name, p := range propertiesOf(ref.Value) {
				properties[name] = p
			}
		}
	}
	for name, ref := range schema.Properties {
		properties[name] = ref.Value
	}
	return properties
}
