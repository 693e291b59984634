// Package evaluator runs the evaluations of concurrent requests on the cores there are, and small ones together.
//
// The engine computes on eight elements at a time (package ristretto), and a request of one element alone would leave seven
// lanes empty in each step, those of its proof included. So requests that come while all cores are busy wait, and whoever
// gets a core next computes all small ones under its key at once: a hundred requests of one element take thirteen vectors
// instead of a hundred. Nobody waits while a core is free, and no timer holds a request back in the hope of another: company
// comes of load alone. A request of many elements fills the lanes by itself, and runs by itself.
//
// There are no goroutines beyond those of the callers: the first of the requests that run together computes for all of
// them, and hands the core on to the first of the next. A caller that goes away while it waits is forgotten.
//
// Left out: who may evaluate, and how many wait at most (package admission), and in which order accounts have their turn
// (there, too): here it is first come, first served.
package evaluator
