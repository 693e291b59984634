package bench

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
)

// Report returns an attack and what it takes, for people. The numbers are those that are named, such as "numbers of US that
// can be mobile".
func (c AttackCost) Report(a Attack, numbers string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "To learn which of the %s %s are registered takes an evaluation of each.\n\n", count(a.Numbers), numbers)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range c.lines(a) {
		fmt.Fprintf(table, "%s\t%s\t%s\n", line.what, line.much, line.why)
	}
	_ = table.Flush() // a strings.Builder takes everything
	fmt.Fprintf(&b, "\nDay t by which there are as many evaluations, the first being on day 0:\n\n%s\nwith %s\n", indent(AttackFormula), a.inputs())
	return b.String()
}

type reportLine struct{ what, much, why string }

// lines are the results.
func (c AttackCost) lines(a Attack) []reportLine {
	lines := []reportLine{
		{count(a.Accounts) + " accounts cost", dollars(c.Price), dollars(a.AccountPrice) + " each"},
		{"every number once", days(c.OnceDays), "the credits of rotations spent on other numbers: e(t)"},
		{"all in view", days(c.InViewDays), "in one epoch, from when on joins and leaves are seen at no cost: b(t)"},
		{"in 30 days", count(c.EvaluatedIn30Days), fmt.Sprintf("numbers, %s of them", percent(c.Share30Days))},
	}
	within := reportLine{"all once in 30 days", "no number of accounts", "they are young for longer"}
	if c.AccountsFor30Days > 0 {
		within.much, within.why = count(c.AccountsFor30Days)+" accounts", dollars(c.PriceFor30Days)
	}
	return append(lines, within, reportLine{"without any limit", hours(c.UnlimitedHours),
		fmt.Sprintf("at %s an hour, as 3.5 billion accounts were found in 2025 (arXiv 2511.20252)", count(CrawlPerHour))})
}

// inputs are the letters of AttackFormula with their values.
func (a Attack) inputs() string {
	text := fmt.Sprintf("N = %s accounts, B = %s (burst), R = %s a day (refill)", count(a.Accounts), count(a.Burst), count(a.RefillPerDay))
	if a.YoungPerDay > 0 {
		text += fmt.Sprintf(", Y = %s a day, A = %.4g days", count(a.YoungPerDay), a.YoungAgeDays)
	} else {
		text += ", no budget for young accounts"
	}
	if a.RotationsPerYear > 0 {
		return text + fmt.Sprintf(", P = %.4g days", year/a.RotationsPerYear)
	}
	return text + ", no rotations"
}

// indent puts each line further in.
func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}

// days writes a span of days, rounded down: no attack is said to take longer than it does.
func days(d float64) string {
	switch {
	case d < 100:
		return fmt.Sprintf("%.1f days", math.Floor(10*d+1e-6)/10)
	case d < 100*year:
		return count(int64(d+1e-6)) + " days"
	default:
		return count(int64(d/year)) + " years"
	}
}

// hours writes a span of hours, rounded down.
func hours(h float64) string {
	if h < 100 {
		return fmt.Sprintf("%.1f hours", math.Floor(10*h+1e-6)/10)
	}
	return days(h / 24)
}

// dollars writes an amount of money, without cents where they do not matter.
func dollars(amount float64) string {
	if amount < 1_000 {
		return fmt.Sprintf("%.2f USD", amount)
	}
	return count(int64(math.Round(amount))) + " USD"
}

// percent writes a share, rounded up.
func percent(share float64) string {
	return fmt.Sprintf("%.1f %%", math.Ceil(1000*share-1e-6)/10)
}
