package main

import (
	"github.com/schollz/progressbar/v3"

	"github.com/kith-project/kith/client"
)

// progress draws the progress of a Sync on a terminal, and nothing anywhere else.
type progress struct {
	t     *terminal
	bar   *progressbar.ProgressBar
	stage client.Stage
}

func newProgress(t *terminal) *progress { return &progress{t: t} }

// stageNames are what the stages are called on the terminal.
var stageNames = map[client.Stage]string{
	client.StageRead:     "reading contacts",
	client.StageEvaluate: "evaluating numbers",
	client.StageLookUp:   "looking up",
	client.StageOpen:     "opening labels",
}

// report is client.Options.Progress.
func (p *progress) report(now client.Progress) {
	if !p.t.interactive() {
		return
	}
	if now.Stage != p.stage {
		p.done()
		p.stage = now.Stage
		p.bar = progressbar.NewOptions(now.Total, progressbar.OptionSetWriter(p.t.stderr), progressbar.OptionSetWidth(30),
			progressbar.OptionSetDescription(stageNames[now.Stage]), progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	}
	if now.Total > 0 {
		p.bar.ChangeMax(now.Total)
	}
	_ = p.bar.Set(now.Done)
}

// done removes the bar.
func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}
