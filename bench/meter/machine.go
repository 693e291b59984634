package meter

import (
	"os"
	"runtime"
	"strings"
)

// Machine says what something was measured on.
type Machine struct {
	CPU   string `json:"cpu"`   // the model, or the architecture where the system does not say
	Cores int    `json:"cores"` // that the process may use
	OS    string `json:"os"`    // GOOS/GOARCH
	Go    string `json:"go"`
}

// ThisMachine returns what this process runs on.
func ThisMachine() Machine {
	return Machine{CPU: cpuModel(), Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
}

// cpuModel is what Linux calls the processor, or the architecture.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
