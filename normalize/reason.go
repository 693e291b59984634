package normalize

// Reason says why a text is not a phone number that can be looked up. The values are stable machine codes: they appear
// in JSON and in logs, where the number itself must not.
type Reason string

const (
	ReasonEmpty         Reason = "empty"                // nothing there, or only invisible characters
	ReasonNoDigits      Reason = "no-digits"            // text without a single digit
	ReasonNotANumber    Reason = "not-a-number"         // digits, in a shape no number has
	ReasonTooShort      Reason = "too-short"            // digits are missing, perhaps the area code
	ReasonTooLong       Reason = "too-long"             // more digits than its country has, or than E.164 allows
	ReasonShortCode     Reason = "short-code"           // an emergency number, a service number or a network code
	ReasonInvalid       Reason = "not-valid-for-region" // right length, but no such number is assigned there
	ReasonUnknownRegion Reason = "unknown-region"       // a national number, and the country is not known
)

// explanations holds the sentences of Explain in the order of Reasons.
var explanations = []struct {
	reason   Reason
	sentence string
}{
	{ReasonEmpty, "There is no phone number here."},
	{ReasonNoDigits, "This has no digits, so it is not a phone number."},
	{ReasonNotANumber, "This does not look like a phone number."},
	{ReasonTooShort, "Digits are missing from this number, perhaps the area code."},
	{ReasonTooLong, "This has too many digits for a phone number."},
	{ReasonShortCode, "This is an emergency or service number, not a person's."},
	{ReasonInvalid, "There is no number like this in its country."},
	{ReasonUnknownRegion, "This number has no country code, and it is not known which country it belongs to."},
}

// Reasons returns all reasons, from the emptiest input to the best one, in a new slice.
func Reasons() []Reason {
	all := make([]Reason, len(explanations))
	for i, e := range explanations {
		all[i] = e.reason
	}
	return all
}

// Explain returns one plain-language sentence for the person whose contact it is, in English. An unknown reason gets
// the sentence of ReasonNotANumber.
func (r Reason) Explain() string {
	for _, e := range explanations {
		if e.reason == r {
			return e.sentence
		}
	}
	return ReasonNotANumber.Explain()
}

// Error is what Parse, ParseE164 and RegionOf return. It carries the reason and nothing of the input, so it can be
// logged.
type Error struct {
	Reason Reason
}

func (e *Error) Error() string {
	return "normalize: phone number refused: " + string(e.Reason)
}

// refuse returns the error of a reason.
func refuse(r Reason) error {
	return &Error{Reason: r}
}
