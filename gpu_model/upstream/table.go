package upstream

import (
	_ "embed"
	"fmt"
	"strings"
)

// Version is the version of MGPUSim that the table was measured on.
const Version = "v4.2.0"

// Verdicts of the table.
const (
	Exact       = "exact"       // as our executor, which follows the ISA documentation, bit by bit
	Approximate = "approximate" // floating-point results within 2^-19 of ours
)

//go:embed opcodes.tsv
var text string

// Row is what was measured of one use of an instruction.
type Row struct {
	Use
	Verdict string // Exact, Approximate, or what went wrong
}

var table = func() map[Use]string {
	rows := map[Use]string{}
	for number, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		column := strings.Split(line, "\t")
		if len(column) != 4 {
			panic(fmt.Sprintf("upstream: opcodes.tsv line %d: 4 columns expected, got %d", number+1, len(column)))
		}
		rows[Use{column[0], column[1], column[2]}] = column[3]
	}
	return rows
}()

// Verdict returns what was measured of a use; "" where it was not tried.
func Verdict(u Use) string { return table[u] }

// Supported tells whether upstream executes a use properly.
func Supported(u Use) bool {
	v := table[u]
	return v == Exact || v == Approximate
}
