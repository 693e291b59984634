// Package report writes what the other measurements found as the part of docs/performance.md for people in a hurry, in Markdown,
// and draws its plot. Every table names machine, date and command.
//
// It measures nothing, and leaves out what no command of kith bench measures: that stands in the same document, by hand, with the
// benchmark it is from.
package report
