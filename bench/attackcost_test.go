package bench_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kith-project/kith/bench"
	"github.com/kith-project/kith/normalize"
)

// standard is an attack within the default limits.
func standard(numbers, accounts int64) bench.Attack {
	return bench.Attack{Numbers: numbers, Accounts: accounts, AccountPrice: 0.5, Burst: 10_000, RefillPerDay: 1_000, YoungAgeDays: 7}
}

// TestAttackCost checks the arithmetic against results by hand.
func TestAttackCost(t *testing.T) {
	for _, tt := range []struct {
		name         string
		attack       bench.Attack
		rotations    float64
		young        int64
		youngAge     float64
		once, inView float64
		in30Days     int64
		for30Days    int64
	}{
		// 10,000 + 1,000 t = 1,000,000; 40,000 an account in 30 days.
		{name: "one account", attack: standard(1_000_000, 1), once: 990, inView: 990, in30Days: 40_000, for30Days: 25},
		{name: "bursts alone", attack: standard(1_000_000, 100), once: 0, inView: 0, in30Days: 1_000_000, for30Days: 25},
		{name: "one number", attack: standard(1, 1), once: 0, inView: 0, in30Days: 1, for30Days: 1},
		{name: "an account too few", attack: standard(1_000_000, 99), once: 10.0 / 99, inView: 10.0 / 99, in30Days: 1_000_000, for30Days: 25},
		// Three times what buckets paid for by day t, t - 365 and t: 3 * 10,000 + 1,000 (3 t - 365) = 1,000,000.
		{name: "rotations", attack: standard(1_000_000, 1), rotations: 1, once: 445, inView: 990, in30Days: 80_000, for30Days: 13},
		// Of a rotation after less than a year, 2 (10,000 + 1,000 t) = 700,000.
		{name: "one rotation", attack: standard(700_000, 1), rotations: 1, once: 340, inView: 690, in30Days: 80_000, for30Days: 9},
		// 750,000 right before day 365, and with a rotation on day 0 as well 760,000 on it.
		{name: "a second rotation", attack: standard(755_000, 1), rotations: 1, once: 365, inView: 745, in30Days: 80_000, for30Days: 10},
		// Rotations every 10 days, 4 in 30: five times 10,000, and 1,000 (30 + 30 + 20 + 10 + 0).
		{name: "many rotations", attack: standard(140_000, 1), rotations: 36.5, once: 30, inView: 130, in30Days: 140_000, for30Days: 1},
		// 80,000 by day 7, and then every bucket is full.
		{name: "young accounts", attack: standard(1_000_000, 100), young: 10_000, youngAge: 7, once: 7, inView: 7, in30Days: 1_000_000, for30Days: 28},
		// 80,000 + 50 (10,000 + 1,000 (t - 7)) = 1,000,000.
		{name: "young accounts, then refill", attack: standard(1_000_000, 50), young: 10_000, youngAge: 7, once: 15.4, inView: 15.4, in30Days: 1_000_000, for30Days: 28},
		// 10,000 (1 + t) = 1,000,000, at 99 days.
		{name: "young for long", attack: standard(1_000_000, 1_000), young: 10_000, youngAge: 100, once: 99, inView: 99, in30Days: 310_000, for30Days: 0},
		{name: "a large budget", attack: standard(1_000_000, 100), young: 1_000_000, youngAge: 7, once: 0, inView: 0, in30Days: 1_000_000, for30Days: 25},
		// A credit is paid for by the budget as well; from day 7 on it is not: 2 (80,000 + 400,000).
		{name: "young accounts and a rotation", attack: standard(960_000, 40), young: 10_000, youngAge: 7, rotations: 1, once: 7, inView: 19, in30Days: 960_000, for30Days: 13},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.attack
			a.RotationsPerYear, a.YoungPerDay = tt.rotations, tt.young
			if tt.youngAge > 0 {
				a.YoungAgeDays = tt.youngAge
			}
			got, err := a.Cost()
			if err != nil {
				t.Fatal(err)
			}
			near := func(what string, got, want float64) {
				if math.Abs(got-want) > 1e-9*max(1, want) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			near("once", got.OnceDays, tt.once)
			near("in view", got.InViewDays, tt.inView)
			near("numbers in 30 days", float64(got.EvaluatedIn30Days), float64(tt.in30Days))
			near("share in 30 days", got.Share30Days, float64(tt.in30Days)/float64(a.Numbers))
			near("accounts for 30 days", float64(got.AccountsFor30Days), float64(tt.for30Days))
			near("price", got.Price, float64(a.Accounts)/2)
			near("price for 30 days", got.PriceFor30Days, float64(tt.for30Days)/2)
			near("hours without limits", got.UnlimitedHours, float64(a.Numbers)/1e8)
		})
	}
}

// simulation is a server with its rules for accounts, and an attacker who takes what there is at each step, from all
// accounts evenly. It knows nothing of AttackFormula. Amounts are parts of a unit as well, which a server does not give.
type simulation struct {
	attack                 bench.Attack
	level, charged, credit float64 // of each account: units of its bucket in use, charged in this epoch, left of the credit
	pool                   float64 // units left of the budget of young accounts
	total                  float64
}

// spend has every account use what it can: as a young one, up to the moment when it is none any more, and as another from
// that moment on.
func (s *simulation) spend(day float64) {
	accounts := float64(s.attack.Accounts)
	if s.attack.YoungPerDay > 0 && day <= s.attack.YoungAgeDays {
		s.pool -= accounts * s.use(s.pool/accounts)
	}
	if s.attack.YoungPerDay == 0 || day >= s.attack.YoungAgeDays {
		s.use(math.Inf(1))
	}
}

// use has every account use up to most units, the credit first, and returns how many they were.
func (s *simulation) use(most float64) float64 {
	n := min(most, s.credit+float64(s.attack.Burst)-s.level)
	credit := min(n, s.credit)
	s.credit, s.level, s.charged = s.credit-credit, s.level+n-credit, s.charged+n
	s.total += n * float64(s.attack.Accounts)
	return n
}

// wait lets time pass.
func (s *simulation) wait(days float64) {
	s.level = max(0, s.level-days*float64(s.attack.RefillPerDay))
	s.pool = min(float64(s.attack.YoungPerDay), s.pool+days*float64(s.attack.YoungPerDay))
}

// rotate begins an epoch.
func (s *simulation) rotate() { s.charged, s.credit = 0, s.charged }

// stepsADay is how many steps a simulation makes a day.
const stepsADay = 64

// simulate returns how many evaluations there are by a day, with rotations as late as they can be.
func simulate(attack bench.Attack, day, period int) float64 {
	s := simulation{attack: attack, pool: float64(attack.YoungPerDay)}
	for step := 0; ; step++ {
		now := float64(step) / stepsADay
		s.spend(now)
		if left := stepsADay*day - step; period > 0 && left%(stepsADay*period) == 0 {
			s.rotate()
			s.spend(now)
		}
		if step == stepsADay*day {
			return s.total
		}
		s.wait(1.0 / stepsADay)
	}
}

// TestAttackFormula compares the formula with simulated accounts: it is exact where nobody is young or nothing rotates while
// they are, and above what they can do elsewhere.
func TestAttackFormula(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		day, period := rapid.IntRange(0, 60).Draw(rt, "day"), rapid.SampledFrom([]int{0, 1, 2, 7, 20, 365}).Draw(rt, "period")
		a := bench.Attack{
			Numbers: 1_000_000_000, Accounts: rapid.Int64Range(1, 5).Draw(rt, "accounts"), RefillPerDay: rapid.Int64Range(1, 50).Draw(rt, "refill"),
			YoungPerDay: rapid.Int64Range(0, 300).Draw(rt, "young"), YoungAgeDays: float64(rapid.IntRange(0, 20).Draw(rt, "age")),
		}
		a.Burst = rapid.Int64Range(a.RefillPerDay, 20*a.RefillPerDay).Draw(rt, "burst")
		if period > 0 {
			a.RotationsPerYear = 365 / float64(period)
		}
		// By the day as many numbers are through as the simulation evaluates, and where the formula is exact no more.
		got := simulate(a, day, period)
		a.Numbers = max(1, int64(got))
		cost, err := a.Cost()
		if err != nil {
			rt.Fatal(err)
		}
		if cost.OnceDays > float64(day)+1e-6 {
			rt.Fatalf("%v evaluations by day %d, and %d is said to take until day %v", got, day, a.Numbers, cost.OnceDays)
		}
		// What refill and budget give in a step is lost where a bucket or the budget is full by its end, and again as a credit.
		lost := float64(a.Accounts*a.RefillPerDay+a.YoungPerDay) / stepsADay
		if period > 0 {
			lost *= float64(day/period + 2)
		}
		exact := period == 0 || a.YoungPerDay == 0 || float64(day%period) >= a.YoungAgeDays
		a.Numbers = int64(got+lost) + 2
		if cost, err = a.Cost(); err != nil {
			rt.Fatal(err)
		}
		if exact && cost.OnceDays < float64(day)-1e-6 {
			rt.Fatalf("%v evaluations by day %d, and %d is said to take until day %v", got, day, a.Numbers, cost.OnceDays)
		}
	})
}

func TestAttackRefuses(t *testing.T) {
	for _, tt := range []struct {
		input  string
		change func(*bench.Attack)
	}{
		{"numbers", func(a *bench.Attack) { a.Numbers = 0 }},
		{"numbers", func(a *bench.Attack) { a.Numbers = math.MaxInt64 }},
		{"accounts", func(a *bench.Attack) { a.Accounts = 0 }},
		{"accounts", func(a *bench.Attack) { a.Accounts = -1 }},
		{"account_price", func(a *bench.Attack) { a.AccountPrice = -0.01 }},
		{"account_price", func(a *bench.Attack) { a.AccountPrice = math.NaN() }},
		{"burst", func(a *bench.Attack) { a.Burst = 0 }},
		{"refill_per_day", func(a *bench.Attack) { a.RefillPerDay = 0 }},
		{"young_per_day", func(a *bench.Attack) { a.YoungPerDay = -1 }},
		{"young_age_days", func(a *bench.Attack) { a.YoungAgeDays = -1 }},
		{"rotations_per_year", func(a *bench.Attack) { a.RotationsPerYear = 367 }},
		{"rotations_per_year", func(a *bench.Attack) { a.RotationsPerYear = math.Inf(1) }},
	} {
		a := standard(1_000_000, 1)
		tt.change(&a)
		_, err := a.Cost()
		if out, ok := errors.AsType[*bench.RangeError](err); !ok || out.Input != tt.input {
			t.Errorf("%+v: %v, want an error for %s", a, err, tt.input)
		}
	}
}

// onlyMobile returns how many numbers of a region can be mobile.
func onlyMobile(t *testing.T, region string) int64 {
	t.Helper()
	numbers, err := normalize.PlanSize(region, normalize.KindMobile)
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// costOf returns what an attack takes at the default price.
func costOf(t *testing.T, a bench.Attack, rotations float64) bench.AttackCost {
	t.Helper()
	a.AccountPrice, a.RotationsPerYear = 0.08, rotations
	c, err := a.Cost()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// accountsTable is the table by region and accounts, with a rotation a year.
func accountsTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| region | numbers, million | accounts | USD | once, days | all in view, days | by day 30 | accounts for 30 days | USD |\n" +
		"|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, region := range []string{"US", "DE", "GB", "BR", "IN"} {
		numbers := onlyMobile(t, region)
		for _, accounts := range []int64{100, 1_000, 10_000} {
			c := costOf(t, standard(numbers, accounts), 1)
			fmt.Fprintf(&b, "| %s | %d | %d | %.0f | %.0f | %.0f | %.1f %% | %d | %.0f |\n", region, numbers/1_000_000, accounts, c.Price,
				math.Floor(c.OnceDays), math.Floor(c.InViewDays), 100*c.Share30Days, c.AccountsFor30Days, c.PriceFor30Days)
		}
	}
	return b.String()
}

// rotationsTable is the table by rotations, of a thousand accounts in the US.
func rotationsTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| rotations a year | once, days | all in view, days |\n|---:|---:|---:|\n")
	for _, rotations := range []float64{0, 0.5, 1, 2, 4, 12, 52} {
		c := costOf(t, standard(onlyMobile(t, "US"), 1_000), rotations)
		fmt.Fprintf(&b, "| %g | %.0f | %.0f |\n", rotations, math.Floor(c.OnceDays), math.Floor(c.InViewDays))
	}
	return b.String()
}

// replaceTable returns a text with the table that has the same first line as this one replaced by it.
func replaceTable(text, table string) (string, bool) {
	head, _, _ := strings.Cut(table, "\n")
	before, after, found := strings.Cut(text, head+"\n")
	for found && strings.HasPrefix(after, "|") {
		_, after, _ = strings.Cut(after, "\n")
	}
	return before + table + after, found
}

// TestAttackDocument holds the tables and the formula of docs/metering.md to the code.
func TestAttackDocument(t *testing.T) {
	const path = "../docs/metering.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	current := string(text)
	for _, table := range []string{accountsTable(t), rotationsTable(t)} {
		var found bool
		if current, found = replaceTable(current, table); !found {
			t.Errorf("%s does not have the table\n%s", path, table)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if current != string(text) {
		t.Errorf("the tables of %s are not current: go test ./bench -run AttackDocument -update", path)
	}
	if !strings.Contains(current, indented(bench.AttackFormula)) {
		t.Errorf("%s does not have the formula:\n%s", path, indented(bench.AttackFormula))
	}
}

// indented is a text as code in Markdown.
func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}
