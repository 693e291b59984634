// Package normalize turns phone numbers as people keep them into the one form that a lookup can find: E.164, or a
// typed reason why there is none. It also reads the address books they come from.
//
// Server and client use this package alike: registrations go through ParseE164, contacts through Parse. An OPRF maps
// two spellings of one number to unrelated points, so a difference here is a contact that is never found. Profile
// names the rules; they change only together with that name or with the metadata of the phone number library.
//
// Start with RegionOf for the user's own number, read the book with ReadContacts, give each raw number to Parse, and
// look up all Candidates of what it returns.
//
// # Address books
//
// ReadVCard and ReadCSV stream: what is kept of a file is one contact, whatever its photos weigh. A broken card or row
// loses itself only and is reported with its place as a *CardError, between the contacts before and behind it.
//
// vCards are parsed here and not by github.com/emersion/go-vcard, which reads a whole property into memory before
// anyone can skip it, and of version 2.1 takes the number in "TEL;CELL;VOICE:+1..." for the value of a parameter, leaves
// quoted-printable, its soft line breaks and CHARSET alone, and makes one card of two if the first lacks its END
// (TestLibraryDoesNotFit). On cards that both can read the tests compare the two. Everything of phone numbers is
// github.com/nyaruka/phonenumbers, a port of libphonenumber, and CSV is encoding/csv.
//
// # What is left out
//
// No carrier lookups and no portability: a number is checked against the numbering plan, never against a network.
// Local numbers without area code, which only a neighbour could dial, are refused as too short or invalid. Names are
// for showing a match to the user, and are not normalised. E-mail addresses are not read.
//
// # Privacy and timing
//
// No error, panic or String method of this package contains any of its input; CardError has a place and a fixed text.
// Nothing here is constant time: numbers are parsed where they are known in clear.
package normalize
