// Package bench computes and draws what Kith costs: so far what each lookup mode takes on the wire, and what it takes
// somebody to enumerate the users within the limits (Attack).
//
// Its figures come from the code that they are about, so that a document can not say something else: docs/wire-cost.md
// with its plots and the tables of docs/metering.md are written by a test with -update, and compared by it without.
//
// Left out: what is measured, which is in the packages below it.
package bench
