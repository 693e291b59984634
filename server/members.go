package server

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// member is an optional member of a JSON object. It refuses null, which a pointer would take for absence: that must not leave
// someone visible who was to be hidden.
type member[T any] struct {
	given bool
	value T
}

// UnmarshalJSON decodes a value of type T.
func (m *member[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return &json.UnmarshalTypeError{Value: "null", Type: reflect.TypeFor[T]()}
	}
	m.given = true
	return json.Unmarshal(data, &m.value)
}

// checkMembers refuses what encoding/json lets through, in data that it has decoded into v: null in the place of the object, a
// member given twice, of which it would take the last, and a name in other letters than those of v's.
func checkMembers(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return refuse(kindMalformed, "The body is not a JSON object.")
	}
	known, all := namesOf(v)
	seen := make(map[string]bool, len(known))
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		switch {
		case err != nil || !ok:
			return refuse(kindMalformed, "The body is not JSON.")
		case seen[name]:
			return refuse(kindMalformed, "The JSON object has a member twice.")
		case !all && !slices.Contains(known, name):
			return refuse(kindMalformed, "The JSON object has a member that this route does not know.")
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return refuse(kindMalformed, "The body is not JSON.")
		}
	}
	return nil
}

// namesOf returns the names of the members of what v points to, or that it takes all.
func namesOf(v any) (names []string, all bool) {
	t := reflect.TypeOf(v).Elem()
	if t.Kind() != reflect.Struct {
		return nil, true
	}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names, false
}
