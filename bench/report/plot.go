package report

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/kith-project/kith/bench/compare"
)

// bars are those of the plot, from the bottom.
var bars = []struct{ name, label string }{
	{compare.Hashed, "hashed numbers, no privacy"},
	{compare.Kith, "Kith"},
	{compare.Edwards25519, "edwards25519, no proof"},
	{compare.Circl, "circl's VOPRF"},
}

// Plot returns what a contact costs each server, with 1,024 contacts in a request, in SVG.
func (s *Sources) Plot() ([]byte, error) {
	p := plot.New()
	p.Title.Text = "Processor time of a server for one contact, of 1,024 in a request"
	p.X.Label.Text = "µs"
	p.X.Min = 0
	var labels []string
	for i, bar := range bars {
		row, _ := s.Compare.Row(bar.name, most)
		chart, err := plotter.NewBarChart(plotter.Values{row.Server + row.Store}, vg.Points(22))
		if err != nil {
			return nil, fmt.Errorf("report: plot: %w", err)
		}
		chart.Horizontal, chart.XMin, chart.LineStyle.Width = true, float64(i), 0
		chart.Color = color.RGBA{R: 0x99, G: 0x9d, B: 0xa6, A: 0xff}
		if bar.name == compare.Kith {
			chart.Color = color.RGBA{R: 0x0b, G: 0x6e, B: 0x4f, A: 0xff}
		}
		p.Add(chart)
		labels = append(labels, fmt.Sprintf("%s: %.3g", bar.label, row.Server+row.Store))
	}
	p.NominalY(slices.Clone(labels)...)
	canvas := vgsvg.New(8*vg.Inch, 2.6*vg.Inch)
	p.Draw(draw.New(canvas))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return nil, fmt.Errorf("report: plot: %w", err)
	}
	return svg.Bytes(), nil
}
