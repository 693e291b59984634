package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/kith-project/kith/server/registry"
)

// importProgress shows how far an import is: a bar on a terminal, and elsewhere a line now and then.
type importProgress struct {
	t     *terminal
	size  int64 // of the file, or 0
	every time.Duration
	began time.Time
	first int64 // lines that were done when the first was told
	said  time.Time
	bar   *progressbar.ProgressBar
}

func newImportProgress(t *terminal, size int64, every time.Duration) *importProgress {
	if t.interactive() {
		every = drawEvery
	}
	return &importProgress{t: t, size: size, every: every}
}

// drawEvery is how often the bar on a terminal is drawn.
const drawEvery = 200 * time.Millisecond

// report is registry.Import.Progress.
func (p *importProgress) report(r registry.ImportReport) {
	now := time.Now()
	if p.began.IsZero() {
		p.began, p.said, p.first = now, now, r.Lines
		return
	}
	if now.Sub(p.said) < p.every {
		return
	}
	p.said = now
	rate := float64(r.Lines-p.first) / now.Sub(p.began).Seconds()
	text := fmt.Sprintf("done up to line %d, %.0f a second", r.Lines, rate)
	if left := p.left(r, now); left > 0 {
		text += fmt.Sprintf(", %s left", left)
	}
	if !p.t.interactive() {
		p.t.say("%s", text)
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(max(p.size, 1), progressbar.OptionSetWriter(p.t.stderr), progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false))
	}
	p.bar.Describe(text)
	_ = p.bar.Set64(min(r.Bytes, p.size))
}

// left returns about how long the import will take still, 0 if that is not known.
func (p *importProgress) left(r registry.ImportReport, now time.Time) time.Duration {
	if p.size == 0 || r.Bytes == 0 || r.Bytes > p.size {
		return 0
	}
	return time.Duration(float64(now.Sub(p.began)) * float64(p.size-r.Bytes) / float64(r.Bytes)).Round(time.Second)
}

// end removes the bar.
func (p *importProgress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}
