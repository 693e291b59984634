package bucket

import (
	"bytes"
	"crypto/aes"
	cryptorand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// randomTag returns a tag of the bucket.
func randomTag(random *rand.Rand, bits int, bucket uint32) crypto.Tag {
	var tag crypto.Tag
	binary.BigEndian.PutUint64(tag[:], uint64(bucket)<<(64-bits)|random.Uint64()>>bits)
	binary.BigEndian.PutUint64(tag[8:], random.Uint64())
	return tag
}

// randomRegistrations returns n registrations of the bucket in order.
func randomRegistrations(random *rand.Rand, bits int, bucket uint32, n int) []directory.Match {
	found := make([]directory.Match, n)
	for i := range found {
		found[i].Tag = randomTag(random, bits, bucket)
		var compact crypto.CompactLabel
		for j := range compact {
			compact[j] = byte(random.Uint32())
		}
		found[i].Label = compact.Sealed()
	}
	sortByTag(found)
	return found
}

func sortByTag(found []directory.Match) {
	slices.SortFunc(found, func(a, b directory.Match) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
}

// answer returns the short tags of a bucket, one by one, and the sealed labels.
func answer(t testing.TB, p *padder, f Format, bucket uint32, found []directory.Match) (shorts, labels []string) {
	t.Helper()
	slots, err := p.slots(f, bucket, f.keys(found))
	if err != nil {
		t.Fatal(err)
	}
	tags := f.appendTags(nil, slots)
	sealed := p.appendLabels(nil, bucket, slots, found)
	if len(tags) != f.Size() || len(sealed) != f.LabelsSize() {
		t.Fatalf("got %d bytes of tags and %d of labels, want %d and %d", len(tags), len(sealed), f.Size(), f.LabelsSize())
	}
	for short := range slices.Chunk(tags, f.TagBytes) {
		shorts = append(shorts, string(short))
	}
	for label := range slices.Chunk(sealed, crypto.SealedLabelSize) {
		labels = append(labels, string(label))
	}
	return shorts, labels
}

// TestEveryAnswerIsOneSizeInOrder goes from an empty bucket to a full one.
func TestEveryAnswerIsOneSizeInOrder(t *testing.T) {
	for _, bits := range []int{0, 7, 8, 14, 20, 32} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			f, err := NewFormat(bits, 96)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(2, uint64(bits)))
			bucket := random.Uint32() >> (32 - bits)
			p := newPadder(FillKey{})
			for n := range f.Slots + 1 {
				found := randomRegistrations(random, bits, bucket, n)
				shorts, labels := answer(t, p, f, bucket, found)
				if !slices.IsSorted(shorts) {
					t.Fatalf("%d registrations: not in order", n)
				}
				if len(slices.Compact(slices.Clone(shorts))) != f.Slots {
					t.Fatalf("%d registrations: short tags twice", n)
				}
				for _, s := range shorts { // fill has the bucket's bits, too
					if got, want := s[0]>>(8-bits%8), byte(bucket)&(1<<(bits%8)-1); bits%8 != 0 && got != want {
						t.Fatalf("%d registrations: a short tag begins with %b, want %b", n, got, want)
					}
				}
				for _, m := range found {
					at := slices.Index(shorts, string(m.Tag.AppendShort(nil, bits, f.TagBytes)))
					if at < 0 || labels[at] != string(m.Label[:]) {
						t.Fatalf("%d registrations: one is missing, or not with its label", n)
					}
				}
			}
			_, err = p.slots(f, bucket, make([]uint64, f.Slots+1))
			var full *FullError
			if !errors.Is(err, ErrFull) || !errors.As(err, &full) || full.Registrations != f.Slots+1 {
				t.Errorf("one too many: got %v, want ErrFull with %d", err, f.Slots+1)
			}
		})
	}
}

// TestFillIsStable has users join and leave: each exchanges one value, and who left leaves the answer as it was before.
func TestFillIsStable(t *testing.T) {
	f, _ := NewFormat(14, 96)
	random := rand.New(rand.NewPCG(3, 3))
	p := newPadder(FillKey{})
	all := randomRegistrations(random, 14, 77, 60)
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var before []string
	for n := range len(all) + 1 {
		present := slices.Clone(all[:n])
		sortByTag(present)
		shorts, labels := answer(t, p, f, 77, present)
		var now []string
		for i := range shorts {
			now = append(now, shorts[i]+labels[i])
		}
		if n > 0 {
			gone, come := missing(before, now), missing(now, before)
			joined := all[n-1]
			want := string(joined.Tag.AppendShort(nil, 14, f.TagBytes)) + string(joined.Label[:])
			if len(gone) != 1 || len(come) != 1 || come[0] != want {
				t.Fatalf("join %d: %d values went and %d came, want one of each", n, len(gone), len(come))
			}
		}
		before = now
	}
	again, _ := answer(t, p, f, 77, nil)
	fresh, _ := answer(t, newPadder(FillKey{}), f, 77, nil)
	if !slices.Equal(again, fresh) {
		t.Error("the empty bucket's fill is not the same in another process")
	}
	larger, _ := answer(t, p, Format{14, f.TagBytes, 104}, 77, nil)
	if gone := missing(again, larger); len(gone) != 0 {
		t.Errorf("more slots took %d values away", len(gone))
	}
}

// missing returns what of a is not in b.
func missing(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// TestRegistrationTakesItsFillsPlace registers a tag whose short tag is already there as fill, and two that share theirs.
func TestRegistrationTakesItsFillsPlace(t *testing.T) {
	f := Format{8, 4, 16}
	p := newPadder(FillKey{})
	empty, _ := answer(t, p, f, 5, nil)
	tag := crypto.Tag{5}
	copy(tag[1:], empty[7])
	one := []directory.Match{{Tag: tag, Label: crypto.SealedLabel{1}}}
	shorts, labels := answer(t, p, f, 5, one)
	if !slices.Equal(shorts, empty) || labels[7] != string(one[0].Label[:]) {
		t.Errorf("one: got %x, want %x with the label at 7", shorts, empty)
	}
	tag[15]++
	two := append(one, directory.Match{Tag: tag, Label: crypto.SealedLabel{2}})
	tag[5] = 0xff // within the key
	two = append(two, directory.Match{Tag: tag, Label: crypto.SealedLabel{3}})
	_, labels = answer(t, p, f, 5, two)
	for i := range two {
		if !slices.Contains(labels, string(two[i].Label[:])) {
			t.Errorf("the label of registration %d, which shares a short tag, is missing", i)
		}
	}
}

// TestOrderSaysNothing counts where registrations stand. If they stood apart from fill, their ranks would not be spread
// evenly.
func TestOrderSaysNothing(t *testing.T) {
	f, _ := NewFormat(14, 96)
	random := rand.New(rand.NewPCG(4, 4))
	p := newPadder(FillKey{})
	const buckets, users, parts = 1000, 48, 8
	var at [parts]int
	for bucket := range uint32(buckets) {
		slots, err := p.slots(f, bucket, f.keys(randomRegistrations(random, 14, bucket, users)))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range slots {
			if !s.fill {
				at[i*parts/f.Slots]++
			}
		}
	}
	for i, n := range at { // 6,000 expected; the standard deviation is about 52
		if n < 5700 || n > 6300 {
			t.Errorf("part %d of the slots holds %d registrations, want about %d", i, n, buckets*users/parts)
		}
	}
}

// TestFillLabelsLookSealed compares the labels of fill with sealed ones, byte by byte: where those are always the same, so is fill,
// and elsewhere both take all values.
func TestFillLabelsLookSealed(t *testing.T) {
	f, _ := NewFormat(14, 96)
	p := newPadder(FillKey{})
	var sealed, fill [crypto.SealedLabelSize]map[byte]bool
	for i := range fill {
		sealed[i], fill[i] = make(map[byte]bool), make(map[byte]bool)
	}
	add := func(seen *[crypto.SealedLabelSize]map[byte]bool, label []byte) {
		for i, b := range label {
			seen[i][b] = true
		}
	}
	for bucket := range uint32(40) {
		_, labels := answer(t, p, f, bucket, nil)
		for _, label := range labels {
			add(&fill, []byte(label))
			own, err := crypto.LabelKey{}.Seal(cryptorand.Reader, crypto.Tag{}, "somebody")
			if err != nil {
				t.Fatal(err)
			}
			add(&sealed, own[:])
		}
	}
	for i := range fill { // of 3,840 labels, and 256 values of a byte
		few := min(len(sealed[i]), len(fill[i]))
		if many := max(len(sealed[i]), len(fill[i])); few != many && few < 250 || few == 1 && !maps.Equal(sealed[i], fill[i]) {
			t.Errorf("byte %d takes %d values in sealed labels and %d in fill", i, len(sealed[i]), len(fill[i]))
		}
	}
}

// TestFillByHand computes the fill from its description.
func TestFillByHand(t *testing.T) {
	key := DeriveFillKey(crypto.StorageKey{}, 7)
	f := Format{Bits: 12, TagBytes: 4, Slots: 8}
	const bucket = 0xabc
	block, err := aes.NewCipher(key.Value[:])
	if err != nil {
		t.Fatal(err)
	}
	encrypt := func(kind byte, counter uint32) []byte {
		in := []byte{0, 0, 0x0a, 0xbc, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		binary.BigEndian.PutUint32(in[12:], counter)
		block.Encrypt(in, in)
		return in
	}
	want := make(map[string]string)
	for i := range uint32(8) {
		value := binary.BigEndian.Uint64(encrypt('t', i))&(1<<28-1) | 0xc<<28
		var label []byte
		for j := range uint32(5) {
			label = append(label, encrypt('l', 5*i+j)...)
		}
		want[string(binary.BigEndian.AppendUint32(nil, uint32(value)))] = string(label[:9]) + "\x00\x00\x00" + string(label[9:73])
	}
	shorts, labels := answer(t, newPadder(key), f, bucket, nil)
	for i := range shorts {
		if label, ok := want[shorts[i]]; !ok || label != labels[i] {
			t.Errorf("slot %d: got %x, which is no value of the fill with its label", i, shorts[i])
		}
	}
}

func TestFillKeys(t *testing.T) {
	storage := crypto.StorageKey{}
	key := DeriveFillKey(storage, 1)
	if key.Equal(DeriveFillKey(storage, 2).Value) {
		t.Error("two epochs have one key")
	}
	storage.Value[0]++
	if key.Equal(DeriveFillKey(storage, 1).Value) {
		t.Error("two storage keys give one key")
	}
	if text := fmt.Sprintf("%v %+v %#v %x", key, key, key, key); text != "[secret] [secret] [secret] [secret]" {
		t.Errorf("got %s", text)
	}
}

// FuzzSlots pads whatever keys there are, in a format in which collisions are frequent.
func FuzzSlots(f *testing.F) {
	f.Add(uint32(3), []byte("0123456789abcdefghijklmnop"))
	f.Fuzz(func(t *testing.T, bucket uint32, data []byte) {
		f := Format{Bits: 8, TagBytes: 1, Slots: 64}
		var keys []uint64
		for chunk := range slices.Chunk(data, 8) {
			keys = append(keys, binary.BigEndian.Uint64(append(chunk, make([]byte, 8)...)))
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		slots, err := newPadder(FillKey{}).slots(f, bucket, keys)
		if len(keys) > f.Slots {
			if !errors.Is(err, ErrFull) {
				t.Fatalf("got %v, want ErrFull", err)
			}
			return
		}
		if err != nil || len(slots) != f.Slots {
			t.Fatalf("got %d slots, %v, want %d", len(slots), err, f.Slots)
		}
		next, last := 0, uint64(0)
		for i, s := range slots {
			if s.short < last || i > 0 && s.short == last && (s.fill || slots[i-1].fill) {
				t.Fatalf("slot %d: %d after %d", i, s.short, last)
			}
			last = s.short
			if !s.fill {
				if s.index != next || s.short != f.short(keys[next]) {
					t.Fatalf("slot %d: got registration %d, want %d", i, s.index, next)
				}
				next++
			}
		}
		if next != len(keys) {
			t.Fatalf("got %d registrations, want %d", next, len(keys))
		}
	})
}
