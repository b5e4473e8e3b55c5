//go:build darwin || freebsd

package memory

// mapNoReserve is nothing here: these systems commit anonymous mappings lazily without asking.
const mapNoReserve = 0
