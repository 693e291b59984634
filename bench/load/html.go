package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
)

// page is the report. It refers to nothing outside itself.
var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>kith bench load</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse; margin: 1em 0 } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left } pre { background: #f4f4f4; padding: 1em; overflow: auto; white-space: pre-wrap }
svg { max-width: 100%; height: auto; margin: 1em 0 } .missed { color: #b03030; font-weight: bold }
</style>
<h1>kith bench load</h1>
<p>{{.Result.Target}}. Generator: {{.Result.Machine.CPU}}, {{.Result.Machine.Cores}} cores, {{.Result.Machine.OS}}, {{.Result.Machine.Go}}. {{.Result.Began.UTC.Format "2006-01-02 15:04 MST"}}.</p>
{{if .Result.SLO}}<table><tr><th>objective<th>measured<th></tr>
{{range .Result.SLO}}<tr><td>{{.Objective}}<td>{{.Measured}}<td{{if .Met}}>met{{else}} class="missed">missed{{end}}</tr>
{{end}}</table>{{end}}
<pre>{{.Text}}</pre>
{{range .Plots}}{{.}}
{{end}}
<h2>All of it</h2>
<pre>{{.JSON}}</pre>
</html>
`))

// HTML returns the result as a page of its own, with plots, that refers to nothing outside.
func (r *Result) HTML() ([]byte, error) {
	encoded, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("load: report: %w", err)
	}
	view := struct {
		Result *Result
		Text   string
		JSON   string
		Plots  []template.HTML
	}{Result: r, Text: r.Report(), JSON: string(encoded)}
	for _, draw := range []func() ([]byte, error){r.latencyPlot, r.throughputPlot, r.timesPlot, r.coresPlot, r.memoryPlot} {
		picture, err := draw()
		if err != nil {
			return nil, err
		}
		if picture != nil {
			view.Plots = append(view.Plots, template.HTML(picture)) // made above, of numbers and fixed words
		}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, view); err != nil {
		return nil, fmt.Errorf("load: report: %w", err)
	}
	return b.Bytes(), nil
}
