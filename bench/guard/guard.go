package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/bench/engine"
)

// Tolerance is the part of a ratio that may be lost to chance.
const Tolerance = 0.1

// ErrFigures means a text that is not figures as Marshal writes them.
var ErrFigures = errors.New("guard: not figures")

// Figures are the ratios that are kept, by the name of the engine.
type Figures map[string]Kept

// Kept is what was measured once by one engine.
type Kept struct {
	CPU    string `json:"cpu"`
	Go     string `json:"go"`
	Date   string `json:"date"` // 2026-11-25
	Ratios Ratios `json:"ratios"`
}

// Ratios are ratios by their names, each the larger the better.
type Ratios map[string]float64

// Parse reads figures. It returns ErrFigures, also for a ratio that is not above 0.
func Parse(text []byte) (Figures, error) {
	var f Figures
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, ErrFigures
	}
	for _, kept := range f {
		for _, ratio := range kept.Ratios {
			if ratio <= 0 {
				return nil, ErrFigures
			}
		}
	}
	return f, nil
}

// Marshal writes figures, so that a change of one is a change of one line.
func (f Figures) Marshal() []byte {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		panic(err) // NaN, which no measurement gives
	}
	return append(text, '\n')
}

// Of returns the ratios of a comparison of the arithmetic and, unless it is nil, of one of servers:
//
//	evaluate, prove_1024, ...   circl's time divided by Kith's, as kith bench engine has them
//	http_circl_1024, ...        the same of whole servers, by contacts in a request
//	http_json_1024, ...         the time with packed bodies divided by that with bodies in JSON
//	http_kept_1024, ...         the time of the engine alone divided by that of the server
func Of(e *engine.Result, c *compare.Result) Ratios {
	ratios := maps.Clone(Ratios(e.Ratio))
	if c == nil {
		return ratios
	}
	for _, row := range c.Rows {
		switch row.Name {
		case compare.Circl:
			ratios[fmt.Sprintf("http_circl_%d", row.Contacts)] = row.Ratio.Median
		case compare.KithJSON:
			ratios[fmt.Sprintf("http_json_%d", row.Contacts)] = round(1 / row.Ratio.Median)
		case compare.Engine:
			ratios[fmt.Sprintf("http_kept_%d", row.Contacts)] = c.Kept(row.Contacts)
		}
	}
	return ratios
}

// Best returns for each name the larger of two ratios: a slow moment is no loss, if there is another that is not.
func Best(a, b Ratios) Ratios {
	best := make(Ratios)
	maps.Copy(best, a)
	for name, ratio := range b {
		best[name] = max(best[name], ratio)
	}
	return best
}

// Change is how a ratio has changed.
type Change struct {
	Name           string
	Kept, Measured float64 // 0 where there is none
}

// By returns the part by which it has changed: -0.1 where a tenth is lost.
func (c Change) By() float64 { return c.Measured/c.Kept - 1 }

// Lost reports whether more was lost than Tolerance, or the ratio was kept and not measured.
func (c Change) Lost() bool { return c.Kept > 0 && c.Measured < (1-Tolerance)*c.Kept }

// Changes returns the changes of all ratios, by name.
func Changes(kept, measured Ratios) []Change {
	var changes []Change
	for name := range Best(kept, measured) {
		changes = append(changes, Change{name, kept[name], measured[name]})
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return changes
}

// Lost returns the names of ratios that are lost.
func Lost(changes []Change) []string {
	var names []string
	for _, c := range changes {
		if c.Lost() {
			names = append(names, c.Name)
		}
	}
	return names
}

// Table writes changes as text.
func Table(changes []Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s%10s%10s%10s\n", "ratio", "kept", "measured", "change")
	for _, c := range changes {
		switch {
		case c.Kept == 0:
			fmt.Fprintf(&b, "%-20s%10s%10.2f%10s\n", c.Name, "", c.Measured, "new")
		case c.Measured == 0:
			fmt.Fprintf(&b, "%-20s%10.2f%10s%10s\n", c.Name, c.Kept, "", "missing")
		default:
			fmt.Fprintf(&b, "%-20s%10.2f%10.2f%9.1f%%", c.Name, c.Kept, c.Measured, 100*c.By())
			if c.Lost() {
				b.WriteString("  lost")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }
