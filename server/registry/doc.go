// Package registry turns the registration of a phone number into records of the directory, in every epoch that is
// written to.
//
// The number exists in this package while a call lasts: it is evaluated under each epoch's key to its unblinded element,
// from which come the tag that names the record, the key that seals the label, and the wrapped element that lets a
// rotation carry the record on. What reaches the store shows no number.
//
// An Import registers the lines of a file, in batches that several goroutines evaluate and write.
//
// Left out: normalisation, which is of the caller's (package normalize) but for the lines of an Import, and HTTP.
//
// Timing: the evaluation is constant time in the private key. A Registry may be used by many goroutines.
package registry
