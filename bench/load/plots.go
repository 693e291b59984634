package load

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// line is one line of a plot. Fewer than two points are left out.
type line struct {
	name   string
	points plotter.XYs
}

var lineColors = []color.RGBA{
	{0x20, 0x60, 0xb0, 0xff}, {0xb0, 0x30, 0x30, 0xff}, {0x20, 0x80, 0x40, 0xff}, {0x80, 0x50, 0xa0, 0xff}, {0xc0, 0x80, 0x20, 0xff}, {0x50, 0x50, 0x50, 0xff},
}

// The size of a plot, and of the names of its lines beside it.
const plotWidth, plotHeight, namesWidth = 7 * vg.Inch, 3.5 * vg.Inch, 1.6 * vg.Inch

// svg draws lines. It returns nil if there is nothing to draw.
func svg(title, x, y string, prepare func(*plot.Plot), lines ...line) ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	names := plot.NewLegend() // beside the plot, where no line can go through it
	names.Top, names.Left = true, true
	p.Add(plotter.NewGrid())
	drawn := 0
	for _, l := range lines {
		if len(l.points) < 2 {
			continue
		}
		drawing, err := plotter.NewLine(l.points)
		if err != nil {
			return nil, fmt.Errorf("load: plot: %w", err)
		}
		drawing.Color, drawing.Width = lineColors[drawn%len(lineColors)], vg.Points(1.5)
		p.Add(drawing)
		names.Add(l.name, drawing)
		drawn++
	}
	if drawn == 0 {
		return nil, nil
	}
	p.Y.Min = min(p.Y.Min, 0)
	if prepare != nil {
		prepare(p)
	}
	canvas := vgsvg.New(plotWidth+namesWidth, plotHeight)
	c := draw.New(canvas)
	p.Draw(draw.Crop(c, 0, -namesWidth, 0, 0))
	names.Draw(draw.Crop(c, plotWidth+vg.Points(8), 0, 0, -vg.Points(20)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("load: plot: %w", err)
	}
	// Without the XML declaration and what is before the picture: it is to stand in HTML.
	text := b.Bytes()
	return text[max(bytes.Index(text, []byte("<svg")), 0):], nil
}

// nines are the marks of an axis of percentiles, which has as much room for each further nine.
type nines struct{}

func (nines) Ticks(_, most float64) []plot.Tick {
	var ticks []plot.Tick
	for i, label := range []string{"0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"} {
		if float64(i) <= most {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: label})
		}
	}
	return ticks
}

// latencyPlot draws the time by percentile of all requests, of each kind of sync, and of the kinds that each mode has.
func (r *Result) latencyPlot() ([]byte, error) {
	var lines []line
	for _, kind := range []Kind{KindAll, KindEvaluations, KindBuckets, KindMatches, KindFirstSync, KindDailySync} {
		l := line{name: string(kind)}
		for _, q := range r.Kind(kind).Curve {
			l.points = append(l.points, plotter.XY{X: -math.Log10(1 - q.Percent/100), Y: math.Log10(max(q.Ms, 0.01))})
		}
		lines = append(lines, l)
	}
	return svg("Time by percentile", "", "ms", func(p *plot.Plot) {
		p.X.Tick.Marker = nines{}
		low, high := math.Floor(p.Y.Min), math.Ceil(p.Y.Max)
		p.Y.Min, p.Y.Max = low, high
		var ticks plot.ConstantTicks
		for exponent := low; exponent <= high; exponent++ {
			ticks = append(ticks, plot.Tick{Value: exponent, Label: fmt.Sprintf("%g", math.Pow(10, exponent))})
		}
		p.Y.Tick.Marker = ticks
	}, lines...)
}

// throughputPlot draws what was offered and what ended well, a second.
func (r *Result) throughputPlot() ([]byte, error) {
	offered, ended, failed := line{name: "offered"}, line{name: "done"}, line{name: "failed"}
	for _, w := range r.Windows {
		x := w.From + w.Seconds/2
		offered.points = append(offered.points, plotter.XY{X: x, Y: float64(w.Offered) / w.Seconds})
		ended.points = append(ended.points, plotter.XY{X: x, Y: float64(w.Ended-w.Failed) / w.Seconds})
		failed.points = append(failed.points, plotter.XY{X: x, Y: float64(w.Failed) / w.Seconds})
	}
	return svg("Syncs and registrations a second", "seconds", "", nil, offered, ended, failed)
}

// timesPlot draws the 50th and 99th percentile of requests over the run.
func (r *Result) timesPlot() ([]byte, error) {
	p50, p99 := line{name: "50 %"}, line{name: "99 %"}
	for _, w := range r.Windows {
		if w.Requests > 0 {
			x := w.From + w.Seconds/2
			p50.points = append(p50.points, plotter.XY{X: x, Y: w.P50})
			p99.points = append(p99.points, plotter.XY{X: x, Y: w.P99})
		}
	}
	return svg("Time of a request over the run", "seconds", "ms", nil, p50, p99)
}

// coresPlot draws how many cores were busy.
func (r *Result) coresPlot() ([]byte, error) {
	cores := func(name string, of func(Sample) float64) line {
		l := line{name: name}
		for i := 1; i < len(r.Samples); i++ {
			before, s := r.Samples[i-1], r.Samples[i]
			if seconds := s.At - before.At; seconds > 0.1 && of(before) > 0 && of(s) >= of(before) {
				l.points = append(l.points, plotter.XY{X: s.At, Y: (of(s) - of(before)) / seconds})
			}
		}
		return l
	}
	return svg("Cores that were busy", "seconds", "", nil,
		cores("server", func(s Sample) float64 { return s.ServerCPU }),
		cores("Redis", func(s Sample) float64 { return s.RedisCPU }),
		cores("generator", func(s Sample) float64 { return s.Generator }))
}

// memoryPlot draws the memory of server and Redis.
func (r *Result) memoryPlot() ([]byte, error) {
	memory := func(name string, of func(Sample) int64) line {
		l := line{name: name}
		for _, s := range r.Samples {
			if of(s) > 0 {
				l.points = append(l.points, plotter.XY{X: s.At, Y: float64(of(s)) / 1e6})
			}
		}
		return l
	}
	return svg("Memory", "seconds", "MB", nil,
		memory("server", func(s Sample) int64 { return s.ServerRSS }), memory("Redis", func(s Sample) int64 { return s.RedisMemory }))
}
