// Package rig starts the processes of a measurement on free loopback ports: a redis-server of its own, and this program again as
// kith serve or as something to compare it with. Each has a folder that is removed with it, and on Linux ends when the
// process that started it does.
//
// It leaves out tests' Redis processes, which package redistest starts, and measuring (package meter).
package rig
