package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/kith-project/kith/crypto"
)

// Mode is a kind of lookup: what the server learns from it.
type Mode string

const (
	// ModeAuto is the most private mode that the server offers and this client implements.
	ModeAuto Mode = "auto"
	// ModeExact sends whole tags. Whoever holds the epoch's private key, the operator, can find out the numbers behind
	// them by trying all numbers there are.
	ModeExact Mode = "exact"
	// ModeBucket sends prefixes of tags that each fit thousands of numbers. Not implemented yet.
	ModeBucket Mode = "bucket"
	// ModeSnapshot sends nothing of the address book. Not implemented yet.
	ModeSnapshot Mode = "snapshot"
)

// ParseMode returns the mode of that name, or ErrMode. The empty name is ModeAuto.
func ParseMode(name string) (Mode, error) {
	switch m := Mode(name); m {
	case "":
		return ModeAuto, nil
	case ModeAuto, ModeExact, ModeBucket, ModeSnapshot:
		return m, nil
	default:
		return "", fmt.Errorf("%w: modes are auto, exact, bucket and snapshot", ErrMode)
	}
}

// A lookup finds which tags are registered. Each mode is one, in a file of its own.
type lookup interface {
	// find returns those of tags that are registered in epoch, each once and in any order, with their sealed labels; it
	// may return tags that turn out to be false positives, whose labels do not open. The tags come in the order
	// of the address book, which find does not show to the server. It calls progress with the number of tags
	// done. Errors are those of call, and ErrAnswer.
	find(ctx context.Context, epoch uint32, tags []crypto.Tag, progress func(done int)) ([]sealedMatch, error)
}

// sealedMatch is one hit of a lookup.
type sealedMatch struct {
	tag   crypto.Tag
	label crypto.SealedLabel
}

// lookupModes are the modes that this client implements, most private first.
var lookupModes = []struct {
	mode Mode
	make func(*Client, *directory) (lookup, error)
}{
	{ModeExact, newExactLookup},
}

// checkMode is ParseMode for a mode that this client also implements.
func checkMode(m Mode) (Mode, error) {
	m, err := ParseMode(string(m))
	if err != nil || m == ModeAuto {
		return m, err
	}
	for _, known := range lookupModes {
		if known.mode == m {
			return m, nil
		}
	}
	return "", fmt.Errorf("%w: this client does not implement %s", ErrMode, m)
}

// chooseLookup returns the mode that was asked for, or the most private of those that both sides know, and its lookup.
// It returns ErrMode if the server does not offer it.
func (c *Client) chooseLookup(d *directory) (Mode, lookup, error) {
	for _, known := range lookupModes {
		wanted := c.options.Mode == ModeAuto || c.options.Mode == known.mode
		if wanted && slices.Contains(d.modes, known.mode) {
			l, err := known.make(c, d)
			return known.mode, l, err
		}
	}
	return "", nil, fmt.Errorf("%w: the server does not offer %s", ErrMode, c.options.Mode)
}
