package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/registry"
)

// register registers every other number of the address book, beginning with the first, and then the sample users. It
// returns how many users that makes.
func (cmd *demoCommand) register(ctx context.Context, t *terminal, d *demo, book []byte) (int, error) {
	numbers, err := distinctNumbers(book, cmd.Region)
	if err != nil {
		return 0, clientError(err)
	}
	inBook := make(map[string]bool, len(numbers))
	var users []registry.Registration
	for i, number := range numbers {
		inBook[number.E164] = true
		for _, alternate := range number.Alternates {
			inBook[alternate] = true
		}
		if i%2 == 0 {
			users = append(users, registry.Registration{Number: number.E164, Label: nickname(i)})
		}
	}
	for i := 0; len(users) < (len(numbers)+1)/2+cmd.Users && i < sampleUsers; i++ {
		if number := sampleUser(i); !inBook[number] {
			users = append(users, registry.Registration{Number: number, Label: nickname(len(numbers) + i)})
		}
	}
	return len(users), putAll(ctx, d.registry, users)
}

// distinctNumbers returns the different numbers of an address book in order of appearance.
func distinctNumbers(book []byte, region string) ([]normalize.Number, error) {
	var numbers []normalize.Number
	seen := make(map[string]bool)
	for contact, err := range normalize.ReadContacts(bytes.NewReader(book)) {
		if _, broken := errors.AsType[*normalize.CardError](err); broken {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, raw := range contact.Numbers {
			number, err := normalize.Parse(raw, region)
			if err != nil || seen[number.E164] {
				continue
			}
			seen[number.E164] = true
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}

// areaCodes are of the United States. With each, 555-0100 to 555-0199 are kept for fiction.
var areaCodes = []int{
	201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 301, 302, 303, 304, 305, 307, 308,
	309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417,
	419, 501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 515, 516, 517, 518, 601, 602, 603, 605, 606, 607, 608, 609,
	610, 612, 614, 615, 616, 617, 618, 619, 701, 702, 703, 704, 706, 707, 708, 712, 713, 714, 715, 716, 717, 718, 719, 801,
	802, 803, 804, 805, 806, 808, 810, 812, 813, 814, 815, 816, 817, 818, 901, 903, 904, 906, 907, 908, 909, 910, 912, 913,
}

// sampleUsers is how many different sample users there are.
var sampleUsers = 100 * len(areaCodes)

// sampleUser returns the number of the i-th sample user, below sampleUsers.
func sampleUser(i int) string {
	return fmt.Sprintf("+1%d55501%02d", areaCodes[i%len(areaCodes)], i/len(areaCodes))
}

var (
	adjectives = []string{"amber", "brisk", "calm", "dusty", "eager", "fuzzy", "gentle", "happy", "jolly", "keen", "lucky", "merry", "quiet", "rusty", "sunny", "witty"}
	animals    = []string{"badger", "crane", "dolphin", "egret", "falcon", "gecko", "heron", "ibis", "jackdaw", "koala", "lynx", "marten", "newt", "otter", "puffin", "robin"}
)

// nickname returns a label for the i-th user.
func nickname(i int) string {
	return fmt.Sprintf("@%s-%s-%d", adjectives[i%len(adjectives)], animals[i/len(adjectives)%len(animals)], 10+i%90)
}

// putAll registers users, on all cores.
func putAll(ctx context.Context, r *registry.Registry, users []registry.Registration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(len(users)) {
					return
				}
				if _, err := r.Put(ctx, users[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
