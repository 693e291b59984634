package directory

import (
	"context"
	"errors"

	"github.com/kith-project/kith/crypto"
	"github.com/redis/go-redis/v9"
)

// Match is a visible registration that was asked for.
type Match struct {
	Tag   crypto.Tag
	Label crypto.SealedLabel
}

// Match returns the visible records among the tags, in the order of the tags, a tag given twice twice. All tags are
// looked up in one pipeline, so the caller bounds their number.
//
// It answers for all tags or for none. It returns ErrIncomplete if a partition of any tag is missing, ErrUnavailable,
// ErrRecord if any stored value is malformed (not "not registered", which would hide the damage; the number is reported to
// Config.OnCorrupt), or ErrLayout.
func (s *Store) Match(ctx context.Context, layout Layout, tags []crypto.Tag) ([]Match, error) {
	if err := layout.Validate(); err != nil {
		return nil, err
	}
	if len(tags) == 0 {
		return nil, nil
	}
	values, err := s.readTags(ctx, layout, tags)
	if err != nil {
		return nil, err
	}
	return s.visible(tags, values)
}

// visible returns the visible records among the answers, or the error of any of them.
func (s *Store) visible(tags []crypto.Tag, values []*redis.StringCmd) ([]Match, error) {
	matches := make([]Match, 0, len(tags))
	malformed := 0
	for i, value := range values {
		b, err := value.Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, unavailable(err)
		}
		var record Record
		if err := record.UnmarshalBinary(b); err != nil {
			malformed++
			continue
		}
		if record.Format == Visible {
			matches = append(matches, Match{Tag: tags[i], Label: record.Label})
		}
	}
	if malformed > 0 {
		s.corrupt(malformed)
		return nil, ErrRecord
	}
	return matches, nil
}

// Get returns the record of a tag, of any format, and its stored form for Write.Expect, which is the caller's to keep.
//
// It returns ErrNotFound if there is none, ErrIncomplete if the partition is missing, ErrRecord together with the stored
// form if that is malformed, ErrUnavailable or ErrLayout.
func (s *Store) Get(ctx context.Context, layout Layout, tag crypto.Tag) (Record, []byte, error) {
	found, err := s.GetAll(ctx, layout, []crypto.Tag{tag})
	if err != nil {
		return Record{}, nil, err
	}
	return found[0].Record, found[0].Raw, found[0].Err
}
