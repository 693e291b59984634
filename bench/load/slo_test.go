package load

import (
	"errors"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// measured is a result of a thousand requests of 1 to 1,000 ms, ten of which failed.
func measured() *Result {
	h := hdr.New(1, longest.Microseconds(), digits)
	for i := range 1000 {
		record(h, time.Duration(i+1)*time.Millisecond)
	}
	s := series{times: h, failed: 10, tries: 1250, refusals: 250}
	return &Result{
		Kinds:    []KindResult{s.result(KindAll)},
		Settings: Settings{Shape: Shape{Duration: 2 * time.Second}},
		Windows:  []Window{{Seconds: 1, Ended: 120, Failed: 20}, {From: 1, Seconds: 1, Ended: 300}, {From: 2, Seconds: 1, Ended: 1000}},
	}
}

func TestObjectives(t *testing.T) {
	for text, met := range map[string]bool{
		"p99<1s": true, "p99<989ms": false, "p50<501ms": true, "p50<499ms": false, "p99.9<999.5ms": true, "p75<800ms": true, "p75<700ms": false,
		"mean<501ms": true, "max<1s": false, "max<1002ms": true,
		"errors<1.1%": true, "errors<1%": false, "errors<0.02": true, "refusals<20.1%": true, "refusals<0.2": false,
		"throughput>199": true, "throughput>200": false,
		"first-sync:p50<1h": false, // there was none
		"all:p99<1s":        true,
		"":                  true,
		"p99<1s, errors<2%": true, "p99<1s,errors<0.1%": false,
	} {
		slo, err := ParseSLO(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		r := measured()
		if r.Judge(slo); r.Met() != met {
			t.Errorf("%q: met %t, want %t: %v", text, r.Met(), met, r.SLO)
		}
	}
}

func TestObjectivesRefused(t *testing.T) {
	for _, text := range []string{
		"p99", "p99>50ms", "p99<50", "p99<fast", "p100<1s", "p0<1s", "p<1s", "p1e1<1s", "errors<200%", "errors<-1%", "errors<NaN", "throughput<5",
		"throughput>many", "first-sync:throughput>5", "nobody:p99<1s", "speed<1s", "p99<1s,", ",", "<", "p99<-1s",
	} {
		var bad *SLOError
		if slo, err := ParseSLO(text); !errors.As(err, &bad) {
			t.Errorf("%q: got %v, %v, want an SLOError", text, slo, err)
		}
	}
}

// FuzzParseSLO reads any text: what is taken is written so that it is read as the same.
func FuzzParseSLO(f *testing.F) {
	for _, text := range []string{"p99<50ms,errors<0.1%", "first-sync:p90<2s,throughput>100", "p99.999<1h2m3s", "refusals<0.3", "max<1µs", "errors<1e-9%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		slo, err := ParseSLO(text)
		if err != nil {
			return
		}
		for _, o := range slo {
			again, err := ParseSLO(o.String())
			if err != nil || len(again) != 1 || again[0].Kind != o.Kind || again[0].Measure != o.Measure {
				t.Errorf("%q: %v is read again as %v, %v", text, o, again, err)
			}
		}
		measured().Judge(slo)
	})
}
