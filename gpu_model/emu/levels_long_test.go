//go:build long

package emu

// Rounds an instruction of the tests in levels_test.go.
const (
	vectorLevelRounds = 20000
	localLevelRounds  = 10000
	flatLevelRounds   = 4000
)
