package bench

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/kith-project/kith/client"
)

const (
	// hitShare is the share of contacts that are registered.
	hitShare = 0.3
	// churn is the share of users who join or leave in a day.
	churn = 0.001
)

// The sizes that the table has.
var (
	contactCounts = []int{200, 1_000, 5_000}
	userCounts    = []int64{100_000, 10_000_000, 1_000_000_000}
)

// ways are the modes with the ways to get labels that the table has.
var ways = []struct {
	name   string
	mode   client.Mode
	labels client.LabelPolicy
	color  color.RGBA
}{
	{"exact", client.ModeExact, client.LabelsByBucket, color.RGBA{0xb0, 0x30, 0x30, 0xff}},
	{"bucket, labels by bucket", client.ModeBucket, client.LabelsByBucket, color.RGBA{0x20, 0x60, 0xb0, 0xff}},
	{"bucket, no labels", client.ModeBucket, client.LabelsNone, color.RGBA{0x60, 0xa0, 0xe0, 0xff}},
	{"snapshot, labels by bucket", client.ModeSnapshot, client.LabelsByBucket, color.RGBA{0x20, 0x80, 0x40, 0xff}},
	{"snapshot, no labels", client.ModeSnapshot, client.LabelsNone, color.RGBA{0x70, 0xc0, 0x80, 0xff}},
}

// cost returns what a way takes for so many contacts among so many users.
func cost(mode client.Mode, labels client.LabelPolicy, contacts int, users int64) client.Cost {
	f := client.FiguresFor(users, int64(float64(users)*churn))
	return client.EstimateCost(mode, labels, f, client.Counts{Numbers: contacts, Hits: int(float64(contacts) * hitShare)})
}

// WireCost returns the document of what each mode takes on the wire, in Markdown.
func WireCost() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What a lookup takes on the wire

Bytes of request and answer bodies of lookups, headers and TLS left out, computed by the client's own planner
(`+"`client.EstimateCost`"+`), with padding. %.0f %% of the contacts are registered, and %.1f %% of the users join or leave a day.
The evaluation is the same in every mode and not counted: 64 bytes a new contact, and 64 bytes of proof for 1,024.
*First* is the first time in an epoch; *daily* one sync on a later day without new contacts or hits.

Written by `+"`go test ./bench -run WireCost -update`"+`; the test fails if it is not current.

`, hitShare*100, churn*100)
	for _, users := range userCounts {
		f := client.FiguresFor(users, 0)
		fmt.Fprintf(&b, "## %s users\n\nPrefixes of %d bits, %d slots of %d bytes a bucket.\n\n", count(users), f.BucketBits, f.Slots, f.TagBytes)
		b.WriteString("| |")
		for _, contacts := range contactCounts {
			fmt.Fprintf(&b, " %s contacts, first | daily |", count(int64(contacts)))
		}
		b.WriteString("\n|---|" + strings.Repeat("---:|", 2*len(contactCounts)) + "\n")
		for _, way := range ways {
			fmt.Fprintf(&b, "| %s |", way.name)
			for _, contacts := range contactCounts {
				c := cost(way.mode, way.labels, contacts, users)
				fmt.Fprintf(&b, " %s | %s |", size(c.First), size(c.Daily))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	b.WriteString("![First lookup of 1,000 contacts, by users](wire-cost.svg)\n\nThe dashed line is the default budget of a day, 2 MB.\n")
	return b.String()
}

// count writes a number with a comma before each three digits.
func count(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// size writes a length in decimal units, to three digits.
func size(n int64) string {
	for _, unit := range []struct {
		bytes float64
		name  string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "KB"}} {
		if v := float64(n) / unit.bytes; v >= 1 {
			return fmt.Sprintf("%.*f %s", max(0, 2-int(math.Log10(v))), v, unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// WireCostPlot returns the plot of the document, in SVG: the first lookup of 1,000 contacts by the number of users.
func WireCostPlot() ([]byte, error) {
	const contacts = 1000
	p := plot.New()
	p.Title.Text = "First lookup of 1,000 contacts"
	p.X.Label.Text, p.Y.Label.Text = "registered users", "bytes"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for _, way := range ways {
		var points plotter.XYs
		for exponent := 5.0; exponent <= 9; exponent += 0.25 {
			users := math.Pow(10, exponent)
			points = append(points, plotter.XY{X: users, Y: float64(cost(way.mode, way.labels, contacts, int64(users)).First)})
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, fmt.Errorf("bench: plot: %w", err)
		}
		line.Color, line.Width = way.color, vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(way.name, line)
	}
	budget := plotter.NewFunction(func(float64) float64 { return client.DefaultBudget })
	budget.Dashes, budget.Samples = []vg.Length{vg.Points(4), vg.Points(4)}, 2
	p.Add(budget)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 1e5, 1e9, 1e4, 1e10
	canvas := vgsvg.New(7*vg.Inch, 5*vg.Inch)
	p.Draw(draw.New(canvas))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return nil, fmt.Errorf("bench: plot: %w", err)
	}
	return svg.Bytes(), nil
}
