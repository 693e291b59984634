package directory

import (
	"slices"
	"strings"
)

// errorSet collects errors of many partitions, each text once.
type errorSet []error

func (set *errorSet) add(err error) {
	if err == nil || slices.ContainsFunc(*set, func(e error) bool { return e.Error() == err.Error() }) {
		return
	}
	*set = append(*set, err)
}

// join returns nil, the only error, or one that is each of them.
func (set errorSet) join() error {
	switch len(set) {
	case 0:
		return nil
	case 1:
		return set[0]
	default:
		return joined(set)
	}
}

// joined is several errors on one line, where errors.Join would take a line for each.
type joined []error

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }
