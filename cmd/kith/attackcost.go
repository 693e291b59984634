package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kith-project/kith/bench"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/quota"
)

// attackCostCommand is kith attack-cost.
type attackCostCommand struct {
	Region  string `required:"" placeholder:"CC" help:"Whose numbers are enumerated: ISO 3166-1 alpha-2, such as US."`
	Numbers string `default:"mobile" placeholder:"WHICH" help:"Numbers to enumerate: mobile (default), which are those that the numbering plan has for mobile lines, all, or how many the attacker tries, if you know better which are assigned."`

	Accounts     int64   `default:"1000" placeholder:"N" help:"Accounts that the attacker has (default ${default})."`
	AccountPrice float64 `default:"0.08" placeholder:"USD" help:"What one costs (default ${default}, the lowest average by country of a verification by SMS in the year to July 2025: cotsi.org)."`

	attackServer
	Burst            int64         `default:"10000" placeholder:"N" help:"Limit of the server: units that an account's bucket holds (default ${default})."`
	RefillPerDay     int64         `default:"1000" placeholder:"N" help:"Limit of the server: units that flow back a day (default ${default})."`
	YoungPerDay      int64         `default:"0" placeholder:"N" help:"Limit of the server: units a day for all young accounts together (default 0: no such limit)."`
	YoungAge         time.Duration `default:"168h" placeholder:"TIME" help:"For how long an account is young (default ${default})."`
	RotationsPerYear float64       `default:"1" placeholder:"R" help:"How often you rotate the key (default ${default}); 0 for never."`

	FailBelow float64 `placeholder:"DAYS" help:"Fail if it takes fewer days until every number was evaluated once: for your own CI."`
	JSON      bool    `name:"json" help:"Print one JSON object."`
}

// attackServer is where the limits in force are read, in place of the flags for them.
type attackServer struct {
	Admin     string `placeholder:"URL" help:"Take the limits in force from the admin address of this server, in place of the four below. It needs --token-file."`
	TokenFile string `env:"KITH_OPERATE_TOKEN_FILE" placeholder:"F" help:"File with a token of scope operate."`
	Plaintext bool   `help:"Allow http:// to another host than this one: the token can be read on the way."`
	clientTLSFlags
}

// limitsInForce puts the limits of the server in the place of the flags, if there is one.
func (cmd *attackCostCommand) limitsInForce(ctx context.Context) error {
	if cmd.Admin == "" {
		return nil
	}
	if cmd.Burst != quota.DefaultBurst || cmd.RefillPerDay != quota.DefaultRefillPerDay || cmd.YoungPerDay != 0 || cmd.YoungAge != quota.DefaultYoungAge {
		return withHint(errors.New("--admin does not go with limits of your own"), "leave --admin out, or --burst, --refill-per-day, --young-per-day and --young-age")
	}
	if cmd.TokenFile == "" {
		return withHint(errors.New("--admin goes with --token-file"), "DIR/operate.token of kith serve, for one")
	}
	l, err := (&adminFlags{Admin: cmd.Admin, TokenFile: cmd.TokenFile, Plaintext: cmd.Plaintext, clientTLSFlags: cmd.clientTLSFlags}).limits(ctx)
	if err != nil {
		return err
	}
	cmd.Burst, cmd.RefillPerDay, cmd.YoungPerDay = l.Burst, l.RefillPerDay, l.YoungPerDay
	cmd.YoungAge = time.Duration(l.YoungAgeSeconds) * time.Second
	return nil
}

// attackJSON is what --json prints: one object.
type attackJSON struct {
	Region string `json:"region"`
	Kind   string `json:"kind"` // mobile, all, or given
	bench.Attack
	bench.AttackCost
}

// kindGiven is the kind of numbers that were counted elsewhere.
const kindGiven = "given"

// Run counts, and says what an enumeration takes.
func (cmd *attackCostCommand) Run(ctx context.Context, t *terminal) error {
	if !(cmd.FailBelow >= 0) { // which what is not a number is not, and nothing would ever be below it
		return errors.New("--fail-below: a number of days")
	}
	if err := cmd.limitsInForce(ctx); err != nil {
		return err
	}
	numbers, kind, err := cmd.numbers()
	if err != nil {
		return err
	}
	attack := bench.Attack{
		Numbers: numbers, Accounts: cmd.Accounts, AccountPrice: cmd.AccountPrice, Burst: cmd.Burst, RefillPerDay: cmd.RefillPerDay,
		YoungPerDay: cmd.YoungPerDay, YoungAgeDays: cmd.YoungAge.Hours() / 24, RotationsPerYear: cmd.RotationsPerYear,
	}
	cost, err := attack.Cost()
	if err != nil {
		return flagError(err)
	}
	if err := cmd.print(t, attack, cost, kind); err != nil {
		return err
	}
	if cost.OnceDays < cmd.FailBelow {
		return fmt.Errorf("an enumeration takes %.1f days, fewer than %g", math.Floor(10*cost.OnceDays)/10, cmd.FailBelow)
	}
	return nil
}

// numbers returns how many numbers are enumerated, and of which kind they are.
func (cmd *attackCostCommand) numbers() (n int64, kind string, err error) {
	if !normalize.ValidRegion(cmd.Region) {
		return 0, "", withHint(errors.New("--region: no such region"), "--region takes two letters, such as US, GB or DE")
	}
	if n, err := strconv.ParseInt(cmd.Numbers, 10, 64); err == nil {
		return n, kindGiven, nil
	}
	n, err = normalize.PlanSize(cmd.Region, normalize.Kind(cmd.Numbers))
	switch {
	case errors.Is(err, normalize.ErrKind):
		return 0, "", withHint(errors.New("--numbers: neither mobile, nor all, nor how many"), "--numbers mobile")
	case err != nil:
		return 0, "", err
	case n == 0:
		return 0, "", withHint(errors.New("--region: there are no such numbers"), "its numbers may be counted with another region of the same calling code, or be none that can be mobile: --numbers all")
	default:
		return n, cmd.Numbers, nil
	}
}

// print writes the result.
func (cmd *attackCostCommand) print(t *terminal, attack bench.Attack, cost bench.AttackCost, kind string) error {
	region := strings.ToUpper(cmd.Region)
	if cmd.JSON {
		return json.NewEncoder(t.stdout).Encode(attackJSON{region, kind, attack, cost})
	}
	numbers := "numbers of " + region
	switch kind {
	case string(normalize.KindMobile):
		numbers += " that can be mobile"
	case kindGiven:
		numbers += " given"
	}
	_, err := fmt.Fprint(t.stdout, cost.Report(attack, numbers))
	return err
}

// flagError names the flag of an input that is out of range.
func flagError(err error) error {
	out, ok := errors.AsType[*bench.RangeError](err)
	if !ok {
		return err
	}
	if flag, ok := strings.CutSuffix(out.Input, "_days"); ok {
		return fmt.Errorf("--%s: %s days", strings.ReplaceAll(flag, "_", "-"), out.Range)
	}
	return fmt.Errorf("--%s: %s", strings.ReplaceAll(out.Input, "_", "-"), out.Range)
}
