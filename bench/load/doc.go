// Package load puts a Kith server under the load of many devices and an account service, and measures what they see.
//
// [Run] registers users, evaluates the numbers that are to be in address books, and then lets devices arrive: new ones, which
// sync a whole address book, known ones, which come back daily, and registrations in between. It returns a [Result], which
// has its own forms as text, JSON and HTML.
//
// # Open loop
//
// Arrivals follow a schedule that is drawn before ([Shape]) and waits for no answer: a Poisson process of the offered rate.
// The time of a device's first request counts from the scheduled moment, whenever it was really sent, so that a server that
// stalls is measured by all who would have come meanwhile; a generator that waits for answers before it sends more leaves
// them out ("coordinated omission", G. Tene, "How NOT to Measure Latency", 2015). Further requests of a sync count from when
// the device was ready to send them, and the time of the whole sync again from the scheduled moment. Times include what
// the device waits before it tries again. Requests that fail are in the histograms with the time that they took. How late
// the generator itself was is a figure of the result: where it is not small, it was the generator that was measured.
//
// # What is simulated
//
// Sizes of address books, the share of contacts that are registered and what is new in a day are drawn from distributions
// ([Books]), whose sources docs/load.md names. Requests, their order, padding, pages, decoys and retries are those of package
// client, which can not be used itself: it computes for a contact several times what a server does, and so would be what is measured.
//
// Every number that may be in an address book is evaluated once before, with all checks, whose results are what known
// devices have in their state. With Config.Precompute devices send these blinded elements again, and compute nothing. The server
// does not notice: it keeps no elements.
//
// # Checks
//
// A wrong answer is no matter of speed. Of a share of the devices every answer is checked whole: proofs are verified, labels
// opened, and who was found is compared with who is registered ([Config].Verify). Of the others the evaluated elements are
// compared with those that were computed before, and all lengths and forms. Registrations under way make an answer uncertain
// from when they are sent until they are acknowledged, and not longer.
//
// # What is left out
//
// Nobody moves to another epoch here: a run in which the server's epoch ends fails. TLS is spoken as the URL says, by shared
// connections unless Config.FreshConnections is set. Devices do not hide their moment by a delay between evaluation and lookup.
//
// Timing: nothing here is secret but tokens, which are in no error and no result.
package load
