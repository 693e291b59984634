//go:build race

package client_test

// pageScale makes TestSyncPages ten times smaller under the race detector, which slows the arithmetic of circl so much.
const pageScale = 10
