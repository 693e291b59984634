// Package meter reads what the processes of a measurement have used so far: kith serve from its metrics, Redis from INFO,
// and this process, and others of this machine, from the system. Two readings and the time between them give cores.
//
// It leaves out what happens inside of them, for which there are profiles (docs/operations.md), and it starts nothing.
package meter
