package size

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
)

// Report returns what a deployment needs, for people.
func (r *Result) Report(in Inputs) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s registered users need\n\n", count(in.Users))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range [][3]string{
		{"servers", fmt.Sprintf("%s of %d cores", count(int64(r.Servers)), in.ServerCores), fmt.Sprintf("%s cores busy at the peak; %s of memory each", trim(r.ServerLoad), bytes(r.ServerMemory))},
		{"Redis masters", count(int64(r.Masters)), fmt.Sprintf("%d by processor time, %d by memory, and %d replicas of each", r.MastersByCPU, r.MastersByMemory, in.Replicas)},
		{"Redis memory", bytes(r.RedisMemory), fmt.Sprintf("%s while the key is rotated, all masters together", bytes(r.RedisMemoryMost))},
		{"evaluations", rate(r.EvaluationsMean) + " a second", fmt.Sprintf("%s at the peak, %s while devices move to a new key", rate(r.EvaluationsPeak), rate(r.EvaluationsMove))},
		{"a rotation", trim(r.RotationCoreDays) + " core days", "of the servers, besides what devices ask for"},
		{"from devices", bytes(r.InMean) + "/s", bytes(r.InPeak) + "/s at the peak of a rotation"},
		{"to devices", bytes(r.OutMean) + "/s", bytes(r.OutPeak) + "/s at the peak of a rotation"},
		{"a bucket", fmt.Sprintf("%.0f users", r.UsersABucket), fmt.Sprintf("prefixes of %d bits, %d slots of %d bytes", r.Layout.BucketBits, r.Layout.Slots, r.Layout.TagBytes)},
		{"a month", money(r.CostMonth), fmt.Sprintf("%s for a million users; most of it for %s", money(r.CostPerMillion), r.Dominates)},
	} {
		fmt.Fprintf(table, "%s\t%s\t%s\n", line[0], line[1], line[2])
	}
	_ = table.Flush() // a strings.Builder takes everything
	b.WriteString("\ncores busy at the peak, which is that of a day on which devices move to a new key\n\n")
	table = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  \tSERVERS\tREDIS")
	for _, p := range r.Parts {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", p.Name, trim(p.Server), trim(p.Redis))
	}
	_ = table.Flush()
	b.WriteString("\na month costs\n\n")
	table = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range r.Costs {
		fmt.Fprintf(table, "  %s\t%s\n", c.Name, money(c.USD))
	}
	_ = table.Flush()
	return b.String()
}

// Markdown returns results of several sizes as the table of a document.
func Markdown(names []string, results []*Result) string {
	var b strings.Builder
	b.WriteString("| users |")
	for _, name := range names {
		b.WriteString(" " + name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(names)) + "\n")
	for _, row := range []struct {
		name string
		text func(r *Result) string
	}{
		{"users a bucket", func(r *Result) string { return fmt.Sprintf("%.0f", r.UsersABucket) }},
		{"evaluations a second, mean of a year", func(r *Result) string { return rate(r.EvaluationsMean) }},
		{"at the peak of a day", func(r *Result) string { return rate(r.EvaluationsPeak) }},
		{"at the peak of a rotation", func(r *Result) string { return rate(r.EvaluationsMove) }},
		{"cores of servers busy then", func(r *Result) string { return trim(r.ServerLoad) }},
		{"servers", func(r *Result) string { return count(int64(r.Servers)) }},
		{"memory of each", func(r *Result) string { return bytes(r.ServerMemory) }},
		{"cores of Redis busy then", func(r *Result) string { return trim(r.RedisLoad) }},
		{"Redis memory", func(r *Result) string { return bytes(r.RedisMemory) }},
		{"with a rotation under way", func(r *Result) string { return bytes(r.RedisMemoryMost) }},
		{"Redis masters by processor time, by memory", func(r *Result) string { return fmt.Sprintf("%d, %d", r.MastersByCPU, r.MastersByMemory) }},
		{"core days of a rotation", func(r *Result) string { return trim(r.RotationCoreDays) }},
		{"from devices, mean and most", func(r *Result) string { return bytes(r.InMean) + "/s, " + bytes(r.InPeak) + "/s" }},
		{"to devices, mean and most", func(r *Result) string { return bytes(r.OutMean) + "/s, " + bytes(r.OutPeak) + "/s" }},
		{"USD a month", func(r *Result) string { return money(r.CostMonth) }},
		{"for a million users", func(r *Result) string { return money(r.CostPerMillion) }},
		{"most of it for", func(r *Result) string { return r.Dominates }},
	} {
		b.WriteString("| " + row.name + " |")
		for _, r := range results {
			b.WriteString(" " + row.text(r) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// rate writes a number of events a second.
func rate(v float64) string {
	if v >= 100 {
		return count(int64(math.Round(v)))
	}
	return fmt.Sprintf("%.3g", v)
}

// money writes an amount, without cents where they do not matter.
func money(usd float64) string {
	if usd < 100 {
		return fmt.Sprintf("%.2f USD", usd)
	}
	return count(int64(math.Round(usd))) + " USD"
}

// bytes writes a length in decimal units, to three digits.
func bytes(n float64) string {
	for _, unit := range []struct {
		bytes float64
		name  string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "KB"}} {
		if v := n / unit.bytes; v >= 1 {
			return fmt.Sprintf("%.*f %s", max(0, 2-int(math.Log10(v))), v, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B", n)
}
