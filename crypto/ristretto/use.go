package ristretto

// UseEngine puts the engine of that name in the place of the one that the environment or the processor chose: to compare them. It
// returns ErrEngine, and changes nothing, if there is no such engine here. It must be called before anything else of this package,
// since what was computed on before stays with its engine.
func UseEngine(name string) error {
	e, err := choose(name, engines())
	if err == nil {
		current, currentErr = e, nil
	}
	return err
}

// Engines returns the names of the engines that this machine and build have, the fastest first.
func Engines() (names []string) {
	for _, e := range engines() {
		names = append(names, e.name)
	}
	return names
}
