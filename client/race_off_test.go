//go:build !race

package client_test

const pageScale = 1
