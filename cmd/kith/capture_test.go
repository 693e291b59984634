package main

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/kith-project/kith/server/redistest"
)

// recorder is a TCP proxy that keeps every byte that goes through it, per direction.
type recorder struct {
	addr string

	mu       sync.Mutex
	toTarget bytes.Buffer
	fromIt   bytes.Buffer
}

// record starts a recorder before a target on loopback.
func record(t *testing.T, target string) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &recorder{addr: l.Addr().String()}
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", target)
			if err != nil {
				_ = down.Close()
				continue
			}
			go r.pipe(up, down, &r.toTarget)
			go r.pipe(down, up, &r.fromIt)
		}
	}()
	return r
}

func (r *recorder) pipe(dst, src net.Conn, keep *bytes.Buffer) {
	defer func() { _ = dst.Close(); _ = src.Close() }()
	chunk := make([]byte, 32<<10)
	for {
		n, err := src.Read(chunk)
		r.mu.Lock()
		keep.Write(chunk[:n])
		r.mu.Unlock()
		if n > 0 {
			if _, err := dst.Write(chunk[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// received returns what the target has received.
func (r *recorder) received() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.toTarget.Bytes())
}

// answered returns the body of the one answer that has a header.
func (r *recorder) answered(header string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, rest, _ := bytes.Cut(r.fromIt.Bytes(), []byte("\r\n"+header+":"))
	_, body, _ := bytes.Cut(rest, []byte("\r\n\r\n"))
	body, _, _ = bytes.Cut(body, []byte("HTTP/1.1 "))
	return bytes.Clone(body)
}

// traces returns the forms in which a number could show: the digits that tell it from others, whole and formatted, in
// several encodings, as integers, and by the hashes that are no protection.
func traces(number string) map[string][]byte {
	digits := strings.TrimPrefix(number, "+")
	national := digits[1:]
	subscriber := digits[len(digits)-7:]
	value, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		panic(err)
	}
	forms := map[string][]byte{
		"subscriber digits": []byte(subscriber),
		"with a hyphen":     []byte(subscriber[:3] + "-" + subscriber[3:]),
		"with a space":      []byte(subscriber[:3] + " " + subscriber[3:]),
		"with a dot":        []byte(subscriber[:3] + "." + subscriber[3:]),
		"percent-encoded":   []byte("%2B" + digits),
		"hex":               []byte(hex.EncodeToString([]byte(national))),
		"big-endian":        binary.BigEndian.AppendUint64(nil, value)[2:],
		"little-endian":     binary.LittleEndian.AppendUint64(nil, value)[:6],
	}
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		var wide []byte
		for _, unit := range utf16.Encode([]rune(subscriber)) {
			wide = order.AppendUint16(wide, unit)
		}
		forms["UTF-16 "+fmt.Sprint(order)] = wide
	}
	for _, text := range []string{number, digits, "tel:" + number} {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(text))
		forms["base64 of "+text[:3]] = []byte(encoded[len(encoded)-9:])
		sha256Sum, sha1Sum, md5Sum := sha256.Sum256([]byte(text)), sha1.Sum([]byte(text)), md5.Sum([]byte(text))
		for name, sum := range map[string][]byte{"SHA-256": sha256Sum[:], "SHA-1": sha1Sum[:], "MD5": md5Sum[:]} {
			forms[name+" of "+text[:3]] = sum[:8]
			forms[name+" in hex of "+text[:3]] = []byte(hex.EncodeToString(sum[:8]))
			forms[name+" in base64 of "+text[:3]] = []byte(base64.RawURLEncoding.EncodeToString(sum[:8])[:10])
		}
	}
	return forms
}

// nameTraces returns the forms in which a name could show.
func nameTraces(name string) map[string][]byte {
	return map[string][]byte{
		"plain":   []byte(name),
		"escaped": []byte(url.QueryEscape(name)),
		"base64":  []byte(base64.RawStdEncoding.EncodeToString([]byte(name))[:12]),
		"hex":     []byte(hex.EncodeToString([]byte(name))),
	}
}

// haystack is data to be searched for many traces. Its windows tell at once that most of them are not in it.
type haystack struct {
	data, lower  []byte
	windows      map[[window]byte]bool // of data
	lowerWindows map[[window]byte]bool
}

// window is the length of the shortest trace.
const window = 6

func newHaystack(data []byte) haystack {
	h := haystack{data: data, lower: bytes.ToLower(data)}
	h.windows, h.lowerWindows = windows(h.data), windows(h.lower)
	return h
}

func windows(data []byte) map[[window]byte]bool {
	w := make(map[[window]byte]bool, len(data))
	for i := 0; i+window <= len(data); i++ {
		w[[window]byte(data[i:])] = true
	}
	return w
}

// leak returns the first form found, or "". Text is found whatever its case; the short forms, which are numbers in
// binary, as they are.
func (h haystack) leak(forms map[string][]byte) string {
	for form, trace := range forms {
		if h.windows[[window]byte(trace)] && bytes.Contains(h.data, trace) {
			return form
		}
		lower := bytes.ToLower(trace)
		if len(trace) > 8 && h.lowerWindows[[window]byte(lower)] && bytes.Contains(h.lower, lower) {
			return form
		}
	}
	return ""
}

// leak searches data once.
func leak(data []byte, forms map[string][]byte) string { return newHaystack(data).leak(forms) }

// TestLeakCheckerSeesLeaks holds the checker itself to account: what it is to find, it finds.
func TestLeakCheckerSeesLeaks(t *testing.T) {
	const number = "+14155550123"
	for form, trace := range traces(number) {
		data := append(append([]byte("POST /v1/x\r\n\r\n"), trace...), "rest"...)
		if leak(data, traces(number)) == "" {
			t.Errorf("a number leaked as %s is not seen", form)
		}
		if found := leak(data, traces("+14155550199")); found != "" && form != "subscriber digits" {
			t.Errorf("a leak of %s is taken for another number's, as %s", form, found)
		}
	}
	if leak([]byte("name=contact+nameson+7"), nameTraces("Contact Nameson 7")) == "" {
		t.Error("a name leaked in a query is not seen")
	}
	if leak([]byte("hello"), traces(number)) != "" {
		t.Error("a leak is seen where there is none")
	}
}

// TestConfidentialityOfContacts records every byte that the server receives during a discovery in each mode, every byte
// that reaches Redis and every byte of the log, registrations included, and finds in them no number of a contact, in any
// form, and no name. (Confidentiality of communications; rationality and necessity.)
func TestConfidentialityOfContacts(t *testing.T) {
	store := startRecordedRedis(t)
	s := serve(t, t.TempDir(), "--redis", store.url)
	numbers := fictional(0, 300)
	const secretLabel = "label-of-somebody"
	s.putMany(t, numbers[:100], func(number string) string { return secretLabel })

	frontend := record(t, strings.TrimPrefix(s.url, "http://"))
	book := writeCSV(t, numbers)
	for _, mode := range []string{"exact", "bucket", "snapshot", "auto"} {
		if mode == "snapshot" {
			waitForManifest(t, s.url)
		}
		r := decodeResult(t, output(t, "discover", book, "--server", "http://"+frontend.addr, "--token-file", s.token("discover"),
			"--region", "US", "--mode", mode, "--json"))
		if len(r.Matches) != 100 || r.Matches[0].Label != secretLabel {
			t.Fatalf("mode %s found %d, want 100: the capture would prove nothing", mode, len(r.Matches))
		}
	}
	// Refusals are logged too.
	if out, err := kith(t, "register", "+14155550100", "--label", "x", "--server", s.url, "--token-file", s.token("discover")).CombinedOutput(); err == nil {
		t.Fatalf("a registration with the wrong token was taken: %s", out)
	}

	captures := map[string][]byte{
		"what the server received": frontend.received(),
		"what Redis received":      store.received(),
		"the log":                  []byte(s.log.String()),
	}
	for where, data := range captures {
		if len(data) < 1000 {
			t.Errorf("%s is only %d bytes: the capture does not work", where, len(data))
		}
		searched := newHaystack(data)
		for i, number := range numbers {
			if form := searched.leak(traces(number)); form != "" {
				t.Errorf("%s has the number of contact %d as %s", where, i, form)
			}
			if form := searched.leak(nameTraces(contactName(i))); form != "" {
				t.Errorf("%s has the name of contact %d, %s", where, i, form)
			}
		}
	}
	for where, data := range map[string][]byte{"Redis": captures["what Redis received"], "the log": captures["the log"]} {
		if form := leak(data, nameTraces(secretLabel)); form != "" {
			t.Errorf("%s has a label, %s", where, form)
		}
		for _, secret := range []string{"trial-device", "trial-account-service"} {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s names the account %s", where, secret)
			}
		}
	}
	if bytes.Contains(captures["the log"], []byte("127.0.0.1")) {
		t.Error("the log has an address")
	}
}

// recordedRedis is a real Redis behind a recorder.
type recordedRedis struct {
	*recorder
	url string
}

func startRecordedRedis(t *testing.T) recordedRedis {
	t.Helper()
	u, err := url.Parse(redistest.Start(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	r := record(t, u.Host)
	u.Host = r.addr
	return recordedRedis{r, u.String()}
}
