// Package admission decides which evaluations a server begins, and in which order, when more are asked for than it can do.
//
// A request is measured in elements, since these are what takes time. So many requests are under way at once as there are
// workers, and more small ones, which are computed together (Config.Whole). The others wait in a queue that is bounded by time: a request is refused at once, with an OverloadedError that says
// when to come again, if the elements ahead of it would take longer than Config.MaxWait at the rate that is measured.
// Whoever is refused has cost next to nothing, and whoever is admitted is served before it gives up, so that an overloaded
// server goes on doing what it can do. A request whose caller has gone leaves the queue and is never begun.
//
// The queue is fair between accounts, by deficit round robin (Shreedhar and Varghese, SIGCOMM 1995): accounts that wait are
// served in turn, quantum elements each, so that an address book of 10,000 does not hold up a hundred small ones. It is
// fair in what it refuses, too: an account may have as many elements waiting as the queue has left (dynamic thresholds,
// Choudhury and Hahne, IEEE/ACM Transactions on Networking 1998). One account alone gets half of the queue, two a third
// each, and there is always room for one more that wants little.
//
// Left out: who an account is, what it may do (package quota), and requests that have no account. Nothing here is secret: what
// is looked at are names of accounts and counts, which an operator sees in any case. No goroutine is started; the memory is a
// small record for each request that waits.
package admission
