// Package chaos tests that a deployment loses nothing and brings nothing back, whatever happens to it: it runs kith serve
// processes on a real redis-server, has clients register, hide and delete a few numbers through them while operators
// rotate the key, kills and stops servers and Redis meanwhile, and then reads Redis to see whether every epoch holds what
// it should. There is no code here but that of the tests.
//
// # Histories
//
// A history is what is done to one deployment, and is wholly decided by its seed: what clients, operators and faults do,
// in which order and with which pauses. Real processes take their own time, so that the same history can go another way
// when it is run again; what happened is in the report of a failure, with the command that runs it again.
//
// In a history all writes have versions, in and out of order and repeated, or none has. The calls about one number come
// from one client, one after another, or in some histories from several at once.
//
// # The model
//
// A call ends acknowledged (204), refused (412), failed (503) or without an answer. A write that failed or was not
// answered may have happened or not, also in some of the epochs alone, and until the server that had it is known to be
// done with it, it may still happen. From that follows which states of a number are admissible:
//
//   - with versions the highest acknowledged one, deletion before hiding before visibility, or a higher one of which
//     nothing is known;
//   - without, any write after whose end no acknowledged one began.
//
// The same holds for what is seen on the way: by a lookup through a server, and by a deletion that depends on the label.
// In the end every epoch that is written to must hold an admissible state for each number, the same in all of them unless
// nothing is known of a write; each number once; counters and change streams that agree with the records; a key log that
// has every epoch's key; and nothing of epochs that are over.
package chaos
