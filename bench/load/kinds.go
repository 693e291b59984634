package load

// Kind is a kind of request, or of sync.
type Kind string

// The kinds of requests, in the order of a first sync, and those of syncs, which consist of requests.
const (
	KindDirectory   Kind = "directory"
	KindKeyLog      Kind = "keylog"
	KindEvaluations Kind = "evaluations"
	KindMatches     Kind = "matches"
	KindManifest    Kind = "manifest"
	KindBuckets     Kind = "buckets"
	KindShards      Kind = "shards"
	KindChanges     Kind = "changes"
	KindLabels      Kind = "labels"
	KindRegister    Kind = "register"
	KindUnregister  Kind = "unregister"

	KindFirstSync Kind = "first-sync"
	KindDailySync Kind = "daily-sync"

	// KindAll is all requests, without the syncs that they are of.
	KindAll Kind = "all"
)

var (
	requestKinds = []Kind{
		KindDirectory, KindKeyLog, KindEvaluations, KindMatches, KindManifest, KindBuckets, KindShards, KindChanges, KindLabels,
		KindRegister, KindUnregister,
	}
	syncKinds = []Kind{KindFirstSync, KindDailySync}
	allKinds  = append(append([]Kind{KindAll}, requestKinds...), syncKinds...)
)
