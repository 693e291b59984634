package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SLO is a list of objectives, all of which a run has to meet.
type SLO []Objective

// Objective is one of them: a measure of a kind of requests below a limit, or a throughput above one.
type Objective struct {
	Kind    Kind    // KindAll if none is named
	Measure string  // p50, p99.9 and so on, mean, max, errors, refusals or throughput
	Limit   float64 // ms, a share, or syncs a second
}

// SLOError is an objective that can not be understood.
type SLOError struct {
	Objective string
	Problem   string
}

func (e *SLOError) Error() string { return fmt.Sprintf("%q: %s", e.Objective, e.Problem) }

// Verdict is whether an objective was met.
type Verdict struct {
	Objective string `json:"objective"`
	Measured  string `json:"measured"`
	Met       bool   `json:"met"`
}

// ParseSLO reads objectives such as "p99<50ms,errors<0.1%,first-sync:p90<2s,throughput>100", with commas between them. An
// empty text has none. It returns a *SLOError.
func ParseSLO(text string) (SLO, error) {
	var slo SLO
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		o, problem := parseObjective(part)
		if problem != "" {
			return nil, &SLOError{part, problem}
		}
		slo = append(slo, o)
	}
	return slo, nil
}

// parseObjective returns an objective, or what is wrong with it.
func parseObjective(text string) (o Objective, problem string) {
	at := strings.IndexAny(text, "<>")
	if at < 0 {
		return o, "no < or > in it"
	}
	left, limit := strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+1:])
	o.Kind, o.Measure = KindAll, left
	if kind, measure, found := strings.Cut(left, ":"); found {
		o.Kind, o.Measure = Kind(strings.TrimSpace(kind)), strings.TrimSpace(measure)
	}
	if !slices.Contains(allKinds, o.Kind) {
		return o, "no such kind of requests"
	}
	throughput := o.Measure == "throughput"
	switch {
	case throughput && (text[at] != '>' || o.Kind != KindAll):
		return o, "throughput is of all, and above a limit"
	case !throughput && text[at] != '<':
		return o, "only throughput is to be above a limit"
	}
	var err error
	switch {
	case throughput:
		o.Limit, err = strconv.ParseFloat(limit, 64)
	case o.Measure == "errors" || o.Measure == "refusals":
		o.Limit, err = ParseShare(limit)
	case o.isTime():
		var d time.Duration
		d, err = time.ParseDuration(limit)
		o.Limit = float64(d) / float64(time.Millisecond)
	default:
		return o, "no such measure"
	}
	if err != nil || !(o.Limit >= 0 && o.Limit <= 1e12) {
		return o, "its limit can not be read"
	}
	return o, ""
}

// isTime reports whether the measure is a time.
func (o Objective) isTime() bool {
	_, ok := o.percent()
	return ok || o.Measure == "mean" || o.Measure == "max"
}

// percent returns of p99.9 the number, up to five decimals and below 100.
func (o Objective) percent() (float64, bool) {
	text, found := strings.CutPrefix(o.Measure, "p")
	if !found || len(text) > 8 || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	percent, err := strconv.ParseFloat(text, 64)
	return percent, err == nil && percent > 0 && percent < 100
}

// ParseShare reads a share, as 0.5% or as 0.005, from 0 to 1.
func ParseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	share, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("not a share from 0%% to 100%%")
	}
	return share, nil
}

// String returns the objective in the form that ParseSLO reads.
func (o Objective) String() string {
	prefix := ""
	if o.Kind != KindAll {
		prefix = string(o.Kind) + ":"
	}
	if o.Measure == "throughput" {
		return "throughput>" + strconv.FormatFloat(o.Limit, 'g', -1, 64)
	}
	return prefix + o.Measure + "<" + o.text(o.Limit)
}

// text writes a value of the measure.
func (o Objective) text(value float64) string {
	switch {
	case o.Measure == "throughput":
		return fmt.Sprintf("%.1f/s", value)
	case o.isTime():
		return strconv.FormatFloat(value, 'f', -1, 64) + "ms"
	default:
		return strconv.FormatFloat(value*100, 'g', 6, 64) + "%"
	}
}

// Judge fills in whether a result meets objectives. One about a kind of which there was nothing is not met.
func (r *Result) Judge(slo SLO) {
	r.SLO = []Verdict{}
	for _, o := range slo {
		value, known := r.measure(o)
		v := Verdict{Objective: o.String(), Measured: "nothing"}
		if known {
			v.Measured = o.text(value)
			v.Met = value < o.Limit || o.Measure == "throughput" && value > o.Limit
		}
		if o.Measure == "throughput" {
			v.Met = known && value > o.Limit
		}
		r.SLO = append(r.SLO, v)
	}
}

// Met reports whether all objectives were met.
func (r *Result) Met() bool {
	return !slices.ContainsFunc(r.SLO, func(v Verdict) bool { return !v.Met })
}

// measure returns the value of a measure.
func (r *Result) measure(o Objective) (value float64, known bool) {
	k := r.Kind(o.Kind)
	if o.Measure == "throughput" {
		return r.Throughput(), true
	}
	if k.Count == 0 {
		return 0, false
	}
	switch o.Measure {
	case "errors":
		return float64(k.Failed) / float64(k.Count), true
	case "refusals":
		return float64(k.Refusals) / float64(max(k.Tries, 1)), true
	case "mean":
		return k.Times.Mean, true
	case "max":
		return k.Times.Max, true
	}
	percent, _ := o.percent()
	return k.at(percent), true
}

// at returns a quantile. Those that Times has are exact, and others the next higher point of the curve.
func (k *KindResult) at(percent float64) float64 {
	switch percent {
	case 50:
		return k.Times.P50
	case 90:
		return k.Times.P90
	case 99:
		return k.Times.P99
	case 99.9:
		return k.Times.P999
	}
	for _, q := range k.Curve {
		if q.Percent >= percent {
			return q.Ms
		}
	}
	return k.Times.Max
}
