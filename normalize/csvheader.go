package normalize

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// layout says which columns of a CSV file hold what.
type layout struct {
	phones []int
	names  map[nameRole]int // the first column of each role
}

// nameRole is the part of a name that a column holds.
type nameRole int

const (
	roleFull nameRole = iota
	rolePrefix
	roleGiven
	roleMiddle
	roleFamily
	roleSuffix
	roleFileAs
	roleCompany
	roleNickname
)

// nameHeadings are the headings of columns with names as fold writes them: of Google's old and new export, and of
// Outlook in English, German, French, Spanish, Italian and Portuguese. Salutations ("Mr", "Anrede") are no part of a
// name that is shown.
var nameHeadings = map[nameRole][]string{
	roleFull: {"name", "full name", "display name", "contact", "contact name", "person", "anzeigename", "kontakt",
		"nom complet", "nombre completo", "nome completo", "имя", "姓名", "氏名", "이름"},
	rolePrefix: {"name prefix"},
	roleGiven:  {"first name", "given name", "firstname", "vorname", "prenom", "nombre", "nome"},
	roleMiddle: {"middle name", "additional name", "weitere vornamen", "deuxieme prenom", "segundo nombre",
		"secondo nome", "segundo nome"},
	roleFamily: {"last name", "family name", "lastname", "surname", "nachname", "nom", "apellidos", "apellido",
		"cognome", "sobrenome"},
	roleSuffix:   {"name suffix", "suffix", "suffixe", "sufijo"},
	roleFileAs:   {"file as"},
	roleCompany:  {"company", "organization name", "organization 1 - name", "firma", "societe", "organizacion", "empresa"},
	roleNickname: {"nickname", "spitzname", "surnom", "apodo"},
}

// phoneWords are the words of headings over phone numbers, as fold writes them.
var phoneWords = struct{ whole, alone, prefixes, suffixes []string }{
	whole: []string{"tel", "tels", "cell", "gsm", "whatsapp", "isdn", "rdsi", "rnis", "pager", "fax", "telecopie", "natel",
		"phones", "llamada", "centralita", "komorka"},
	// Only with nothing but digits beside them: an account has a number too.
	alone: []string{"number", "numbers", "nummer", "numero", "callback", "ruckmeldung", "rappel", "localizador",
		"particular"},
	prefixes: []string{"telefon", "telefoon", "telephon", "phonenumber", "cellphone", "mobil", "mobiel", "handy", "movil",
		"celular", "cellul", "portable", "телефон", "мобильн", "电话", "手机", "電話", "携帯", "전화", "휴대"},
	suffixes: []string{"phone", "telefon", "telefoon", "telefono", "rufnummer", "电话", "電話", "전화"},
}

// notPhones begin words of headings over something else that has to do with phones, or over somebody else's phone.
var notPhones = []string{"type", "typ", "label", "mail", "email", "yomi", "phonetic", "extension", "assist", "asist", "telex"}

// readHeader returns the layout that a first record announces, or false if it is no header: nothing in it is a known
// heading, or it has a phone number.
func readHeader(fields []string) (layout, bool) {
	l := layout{names: map[nameRole]int{}}
	for i, field := range fields {
		if likeNumber(field) {
			return layout{}, false
		}
		heading := fold(field)
		if role, ok := nameRoleOf(heading); ok {
			if _, taken := l.names[role]; !taken {
				l.names[role] = i
			}
		} else if overPhones(heading) {
			l.phones = append(l.phones, i)
		}
	}
	return l, len(l.phones) > 0 || len(l.names) > 0
}

func nameRoleOf(heading string) (nameRole, bool) {
	for role, headings := range nameHeadings {
		if slices.ContainsFunc(headings, func(h string) bool { return fold(h) == heading }) {
			return role, true
		}
	}
	return 0, false
}

func overPhones(heading string) bool {
	words := strings.FieldsFunc(heading, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, not := range notPhones {
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, not) }) {
			return false
		}
	}
	return slices.ContainsFunc(words, isPhoneWord) || len(words) > 0 && slices.Contains(phoneWords.alone, words[0]) &&
		strings.Trim(strings.Join(words[1:], ""), "0123456789") == ""
}

func isPhoneWord(word string) bool {
	return slices.Contains(phoneWords.whole, word) ||
		slices.ContainsFunc(phoneWords.prefixes, func(p string) bool { return strings.HasPrefix(word, fold(p)) }) ||
		slices.ContainsFunc(phoneWords.suffixes, func(s string) bool { return strings.HasSuffix(word, fold(s)) })
}

// fold writes a heading in lower case, without accents, and with single spaces between its words.
func fold(heading string) string {
	heading = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Cf) {
			return -1
		}
		if r == '_' {
			return ' '
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(heading))
	return strings.Join(strings.Fields(heading), " ")
}

// name puts together the name in a record.
func (l layout) name(fields []string) string {
	cell := func(role nameRole) string {
		if i, ok := l.names[role]; ok && i < len(fields) {
			return cleanName(fields[i])
		}
		return ""
	}
	parts := nameParts{
		prefix: cell(rolePrefix), given: cell(roleGiven), middle: cell(roleMiddle),
		family: cell(roleFamily), suffix: cell(roleSuffix),
	}
	return firstOf(cell(roleFull), parts.String(), cell(roleFileAs), cell(roleCompany), cell(roleNickname))
}
