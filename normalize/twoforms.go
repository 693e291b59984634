package normalize

// Three countries changed how a line is written from abroad, and address books, SIM cards and accounts still hold both
// forms. Which of the two an account was registered under cannot be known from a contact, so a lookup tries both:
//
//   - Argentina, +54: mobiles have a 9 before the area code from abroad (+54 9 11 ...), and many leave it out.
//   - Mexico, +52: mobiles had a 1 before the area code (+52 1 55 ...) until August 2019.
//   - Brazil, +55: mobiles got a 9 before their eight digits from 2012 to 2016, area code by area code.
//
// The metadata knows the old forms of Argentina only. Those of Mexico and Brazil are accepted here nevertheless:
// accounts of messengers that verified a number before the change still bear it.
const (
	codeArgentina = 54
	codeMexico    = 52
	codeBrazil    = 55
)

// otherForm returns the second national significant number of the line that nsn denotes, or "" if it has only one.
// Where it returns m for n, it returns n for m.
func (p *plan) otherForm(nsn string) string {
	switch p.code {
	case codeArgentina:
		return p.argentina(nsn)
	case codeMexico:
		return p.mexico(nsn)
	case codeBrazil:
		return p.brazil(nsn)
	}
	return ""
}

// argentina pairs NSN and 9NSN where both are assigned: 10 digits of area code and subscriber.
func (p *plan) argentina(nsn string) string {
	other := "9" + nsn
	if len(nsn) == 11 && nsn[0] == '9' {
		other = nsn[1:]
	} else if len(nsn) != 10 {
		return ""
	}
	if p.line(nsn) && p.line(other) {
		return other
	}
	return ""
}

// mexico pairs NSN and 1NSN where the ten digits are an assigned line.
func (p *plan) mexico(nsn string) string {
	if len(nsn) == 11 && nsn[0] == '1' && p.line(nsn[1:]) {
		return nsn[1:]
	}
	if len(nsn) == 10 && p.line(nsn) {
		return "1" + nsn
	}
	return ""
}

// brazil pairs AA[6-9]SSSSSSS and AA9[6-9]SSSSSSS. Only eight-digit numbers from 6 to 9 were mobiles; a 9 taken from
// before a 2 to 5 would leave somebody's fixed line.
func (p *plan) brazil(nsn string) string {
	mobile := func(digit byte) bool { return '6' <= digit && digit <= '9' }
	if len(nsn) == 11 && nsn[2] == '9' && mobile(nsn[3]) && p.line(nsn) {
		return nsn[:2] + nsn[3:]
	}
	if len(nsn) == 10 && mobile(nsn[2]) {
		if long := nsn[:2] + "9" + nsn[2:]; p.line(long) {
			return long
		}
	}
	return ""
}

// oldForm reports whether nsn is a form that the metadata dropped and otherForm still pairs with an assigned one.
func (p *plan) oldForm(nsn string) bool {
	return (p.code == codeMexico || p.code == codeBrazil) && p.otherForm(nsn) != ""
}

// rewriteDialled turns what is dialled inside a country into the national significant number, where the metadata has
// stopped or never started to do so. It returns "" if it has nothing to offer.
func (p *plan) rewriteDialled(nsn string) string {
	switch p.code {
	case codeMexico:
		// 01 before long-distance calls, 044 and 045 before mobiles: abolished in 2019, alive in address books.
		for _, prefix := range []string{"01", "044", "045"} {
			if n := len(prefix); len(nsn) == n+10 && nsn[:n] == prefix {
				return nsn[n:]
			}
		}
	case codeArgentina:
		// +54 9 11 15 2345 6789 has both the 9 from abroad and the 15 from inside. Area codes have 2 to 4 digits.
		if len(nsn) != 13 || nsn[0] != '9' {
			return ""
		}
		for area := 2; area <= 4; area++ {
			without15 := nsn[:1+area] + nsn[3+area:]
			if nsn[1+area:3+area] == "15" && p.line(without15) {
				return without15
			}
		}
	}
	return ""
}
