package ristretto

import "testing"

func TestUseEngine(t *testing.T) {
	before, beforeErr := current, currentErr
	defer func() { current, currentErr = before, beforeErr }()
	for _, e := range engines() {
		currentErr = ErrEngine // of the environment
		if err := UseEngine(e.name); err != nil || Engine() != e.name || CheckEngine() != nil {
			t.Errorf("UseEngine(%q): %v, then %s and %v", e.name, err, Engine(), CheckEngine())
		}
		if err := UseEngine("none"); err != ErrEngine || Engine() != e.name {
			t.Errorf("UseEngine(none): got %v and %s, want ErrEngine and %s", err, Engine(), e.name)
		}
	}
}
