//go:build !long

package emu

// Rounds an instruction of the tests in levels_test.go.
const (
	vectorLevelRounds = 400
	localLevelRounds  = 100
	flatLevelRounds   = 100
)
