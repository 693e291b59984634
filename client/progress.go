package client

// Stage is a part of a Sync.
type Stage string

// The stages in their order.
const (
	StageRead     Stage = "read"     // counts contacts
	StageEvaluate Stage = "evaluate" // counts elements, those known from earlier left out
	StageLookUp   Stage = "look up"  // counts tags or prefixes, padding included, or shards
	StageOpen     Stage = "open"     // counts labels, or the buckets whose labels are fetched
)

// readStep is how many contacts are read from one report to the next.
const readStep = 100

// Progress says how far a Sync is. Each stage begins with Done 0, unless there is nothing to do in it, and ends with
// Done equal to Total; within a stage Done never falls. If the epoch ends during a Sync, the stages after reading are
// gone through a second time. If a move to a new epoch has to wait for quota, StageEvaluate ends where the quota did.
type Progress struct {
	Stage Stage
	Done  int
	Total int // 0 while it is not known, which is so until the whole address book is read
}
