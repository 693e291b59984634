package load

import "sync"

// Checks is what was checked, and what was wrong.
type Checks struct {
	Devices        int   `json:"devices"`         // all of whose answers were checked
	Proofs         int   `json:"proofs"`          // verified
	Elements       int   `json:"elements"`        // compared with what they must be, or proven
	Numbers        int   `json:"numbers"`         // looked up and compared with who is registered
	Labels         int   `json:"labels"`          // opened
	Uncertain      int   `json:"uncertain"`       // numbers whose registration was under way
	FalsePositives int   `json:"false_positives"` // found by a short tag or a filter that is another's, as may happen
	Wrong          int   `json:"wrong"`           // answers that must not be
	Examples       []Bad `json:"examples,omitempty"`
}

// Bad is a kind of wrong answer. It has nothing of the answer.
type Bad struct {
	Kind  Kind   `json:"kind"`
	What  string `json:"what"`
	Count int    `json:"count"`
}

// checks is Checks while they go on. It may be used concurrently.
type checks struct {
	mu  sync.Mutex
	sum Checks
}

// count adds to the sums.
func (c *checks) count(add func(*Checks)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.sum)
}

// wrong notes a wrong answer, and returns it as a failure.
func (c *checks) wrong(kind Kind, what string) error {
	c.count(func(s *Checks) {
		s.Wrong++
		for i := range s.Examples {
			if s.Examples[i].Kind == kind && s.Examples[i].What == what {
				s.Examples[i].Count++
				return
			}
		}
		s.Examples = append(s.Examples, Bad{kind, what, 1})
	})
	return &failure{kind, reasonWrong}
}

// wrongSoFar is how many wrong answers there were.
func (c *checks) wrongSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum.Wrong
}

// finish returns the sums. Found are also a few who are not registered, by chance: one number in 10^6 by a short tag, and one in
// 65,536 by a filter. More than chance allows is a wrong answer too.
func (c *checks) finish() Checks {
	c.mu.Lock()
	more := c.sum.FalsePositives > allowedFalse(c.sum.Numbers)
	c.mu.Unlock()
	if more {
		_ = c.wrong(KindAll, whatChance)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum
}

// allowedFalse is how many of that many numbers may be found by chance, at most: five more than ten times as many as there are on average.
func allowedFalse(numbers int) int { return 5 + numbers*10/65_536 }

// What wrong answers are called.
const (
	whatLength       = "of a wrong length"
	whatForm         = "of a wrong form"
	whatEpoch        = "the epoch is served no more, or under another key"
	whatElement      = "an element is not what it was before"
	whatProof        = "the proof does not hold"
	whatTag          = "a tag is not what it was before"
	whatUnasked      = "a match that was not asked for, or twice"
	whatMissing      = "somebody registered was not found"
	whatPresent      = "somebody who is not registered was found"
	whatLabel        = "a label does not open"
	whatOtherLabel   = "a label is not what was registered"
	whatShard        = "a shard is not what its name says"
	whatChance       = "more who are not registered were found than chance allows"
	whatNotPublished = "the snapshot contradicts itself"
)
